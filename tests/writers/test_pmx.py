"""Sessions that we write: the table for ParaView is the one that pyMINFLUX made of real data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.pmx.pmx import open_pmx
from mfxarray.writers.pmx import write_pmx
from tests.formats.mat.mat_samples import assert_same, flat, outgoing
from tests.formats.nested_records import records

LAST = ("efo", "cfr", "eco", "dcr", "dwell", "fluo", "iid")


def read_all(path: Path) -> np.ndarray:
    (found,) = open_pmx(path)
    return found.rows.read(0, found.rows.n_rows)


@pytest.mark.realdata
def test_table_of_the_real_session(data_dir: Path, tmp_path: Path) -> None:
    with h5py.File(data_dir / "minflux" / "pmx_format_v1.pmx") as file:
        rows = file["raw/npy"][:]
        expected = file["paraview/dataframe"][:]
        names = file["paraview/dataframe"].attrs["column_names"].tolist()
    write_pmx(tmp_path / "a.pmx", outgoing(rows, 100))
    assert read_all(tmp_path / "a.pmx").tobytes() == rows.tobytes()
    with h5py.File(tmp_path / "a.pmx") as file:
        table = file["paraview/dataframe"]
        assert table.attrs["column_names"].tolist() == names
        np.testing.assert_allclose(table[:], expected, rtol=1e-12)
        assert file["parameters/num_fluorophores"][()] == 2


def test_nested(tmp_path: Path) -> None:
    rows = records(100)
    rows["vld"][7] = False
    rows["itr"]["efo"], rows["itr"]["eco"] = 2e4, 100
    write_pmx(tmp_path / "a.pmx", outgoing(rows))
    found = read_all(tmp_path / "a.pmx")
    assert_same(found[list(rows.dtype.names)], rows)
    assert (found["fluo"] == 1).all()
    with h5py.File(tmp_path / "a.pmx") as file:
        assert (file.attrs["file_version"], file.attrs["reader_version"]) == ("3.0", 1)
        frame = file["paraview/dataframe"]
        table = dict(zip(frame.attrs["column_names"], frame[:].T, strict=True))
        kept = np.flatnonzero(rows["vld"])
        np.testing.assert_array_equal(file["paraview/dataframe_index"][:], kept)
        np.testing.assert_allclose(table["z"], rows["itr"]["loc"][kept, -1, 2] * 1e9)
        # the only iteration in which cfr was measured is the middle one
        np.testing.assert_array_equal(table["cfr"], rows["itr"]["cfr"][kept, 2])
        assert (table["dwell"] == 5).all()
        for name in ("dwell_time", "scale_bar_size", "is_tracking", "pool_dcr", "min_trace_length"):
            assert file[f"parameters/{name}"].shape == ()


def reference_groups(rows: np.ndarray) -> list[int]:
    """Number localizations record by record, by the words of the specification."""
    numbers, count, before = [], -1, None
    for row in rows:
        if not row["vld"]:
            numbers.append(-1)
            continue
        if (
            before is None
            or any(row[name] != before[name] for name in ("tid", "thi", "sqi"))
            or row["itr"] <= before["itr"]
            or before["fnl"]
        ):
            count += 1
        numbers.append(count)
        before = row
    return numbers


@pytest.mark.parametrize("step", [1, 7, 500])
def test_flat(tmp_path: Path, step: int) -> None:
    rows = flat(500)
    rng = np.random.default_rng(3)
    rows["vld"] = rng.random(500) < 0.9
    rows["fnl"] &= rng.random(500) < 0.5
    rows["thi"] = rng.integers(0, 2, 500) * (np.arange(500) > 400)
    write_pmx(tmp_path / "a.pmx", outgoing(rows, step))
    found = read_all(tmp_path / "a.pmx")
    for name in rows.dtype.names:
        expected = rows[name][:, :1] if name == "dcr" else rows[name]
        np.testing.assert_array_equal(found[name], expected.astype(found[name].dtype.base))
    assert found["iid"].tolist() == reference_groups(rows)
    with h5py.File(tmp_path / "a.pmx") as file:
        names = file["paraview/dataframe"].attrs["column_names"].tolist()
        assert names == [
            "tid",
            "tim",
            "x",
            "y",
            "z",
            "efo",
            "cfr",
            "eco",
            "dcr",
            "dwell",
            "fluo",
            "iid",
        ]
        kept = np.flatnonzero(rows["vld"] & (rows["itr"] == 2))
        np.testing.assert_array_equal(file["paraview/dataframe_index"][:], kept)
        table = file["paraview/dataframe"][:]
        np.testing.assert_allclose(table[:, 2:5], rows["loc"][kept] * 1e9)
        np.testing.assert_array_equal(table[:, -1], found["iid"][kept])
        assert file["raw/df"].shape == (500, 26)
        assert file["raw/df"].attrs["column_types"][:2].tolist() == ["bool", "bool"]


def test_written_twice_is_the_same(tmp_path: Path) -> None:
    write_pmx(tmp_path / "a.pmx", outgoing(flat()))
    once = read_all(tmp_path / "a.pmx")
    write_pmx(tmp_path / "b.pmx", outgoing(once))
    assert read_all(tmp_path / "b.pmx").tobytes() == once.tobytes()


@pytest.mark.parametrize("rows", [records(0), flat(0)], ids=["nested", "flat"])
def test_empty(tmp_path: Path, rows: np.ndarray) -> None:
    write_pmx(tmp_path / "a.pmx", outgoing(rows))
    assert open_pmx(tmp_path / "a.pmx")[0].rows.n_rows == 0


def test_refused(tmp_path: Path) -> None:
    write_pmx(tmp_path / "a.pmx", outgoing(flat()))
    with pytest.raises(DataError, match="exists already"):
        write_pmx(tmp_path / "a.pmx", outgoing(flat()))
    dtype = [*((n, flat().dtype[n]) for n in flat().dtype.names), ("odd", "f8", (7,))]
    with pytest.raises(ValueError, match="field odd"):
        write_pmx(tmp_path / "b.pmx", outgoing(np.zeros(3, dtype)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pmx"]
