"""Sessions of pyMINFLUX: the real one of version 1, made ones of the others."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.pmx.pmx import open_pmx
from tests.formats.mat.mat_samples import damage, flat, refuse
from tests.formats.nested_records import records

COLUMNS = "vld fnl bot eot sta tim tid gri thi sqi itr x y z lncx lncy lncz eco ecc efo efc fbg cfr"
COLUMNS += " dcr fluo iid"


def read_all(path: Path) -> np.ndarray:
    (found,) = open_pmx(path)
    return found.rows.read(0, found.rows.n_rows)


def save_nested(path: Path, rows: np.ndarray, version: str = "2.0", **attrs: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["file_version"] = version
        for name, value in attrs.items():
            file.attrs[name] = value
        file.create_dataset("raw/npy", data=rows, compression="gzip", chunks=(17,))
        file["parameters/z_scaling_factor"] = 0.7
        file["parameters/applied_efo_thresholds"] = (1e4, 9e4)
        file["parameters/is_tracking"] = np.int8(0)
    return path


def save_flat(path: Path, rows: np.ndarray, **settings: Any) -> Path:
    """Write flat records as pyMINFLUX 0.6 does."""
    names = COLUMNS.split()
    parts = {"x": ("loc", 0), "y": ("loc", 1), "z": ("loc", 2), "dcr": ("dcr", 0)}
    parts |= {"lncx": ("lnc", 0), "lncy": ("lnc", 1), "lncz": ("lnc", 2)}
    matrix = np.empty((len(rows), len(names)))
    for number, name in enumerate(names):
        if name in ("fluo", "iid"):
            matrix[:, number] = 1 if name == "fluo" else np.arange(len(rows))
        elif name in parts:
            matrix[:, number] = rows[parts[name][0]][:, parts[name][1]]
        else:
            matrix[:, number] = rows[name]
    types = ["uint8" if name == "fluo" else "int64" for name in names]
    with h5py.File(path, "w") as file:
        file.attrs["file_version"], file.attrs["reader_version"] = "3.0", 2
        data = file.create_dataset("raw/df", data=matrix, **settings)
        data.attrs["column_names"], data.attrs["column_types"] = names, types
        file["raw/df_index"] = np.arange(len(rows))
        group = file.create_group("parameters")
        group.attrs["fluorophore_names"] = json.dumps({"1": "A"})
    return path


@pytest.mark.realdata
def test_the_real_file(data_dir: Path) -> None:
    path = data_dir / "minflux" / "pmx_format_v1.pmx"
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())["pmx_format_v1.pmx"]
    (found,) = open_pmx(path)
    with h5py.File(path) as file:
        expected = file["raw/npy"][:]
    rows = found.rows.read(0, found.rows.n_rows)
    assert rows.dtype == expected.dtype
    assert rows.tobytes() == expected.tobytes()
    assert found.rows.read(5, 40).tobytes() == expected[5:40].tobytes()
    raw = facts["raw_npy"]
    assert (len(rows), rows.dtype.itemsize) == (raw["n_rows"], raw["itemsize"])
    assert rows["itr"]["eco"].sum(axis=0).tolist() == raw["eco_sum_per_iteration"]
    assert np.unique(rows["tid"]).size == raw["n_traces"]
    assert found.attrs["pmx_parameters"] == facts["parameters"]
    assert found.attrs["container_version"] == facts["file_attrs"]["file_version"]
    assert found.attrs["z_scaling"] == 1.0
    assert found.rows.grain == 17
    assert "not the whole acquisition" in found.attrs["note"]


@pytest.mark.parametrize(
    ("version", "attrs"), [("1.0", {}), ("2.0", {}), ("3.0", {"reader_version": 1})]
)
def test_nested(tmp_path: Path, version: str, attrs: dict) -> None:
    rows = records()
    (found,) = open_pmx(save_nested(tmp_path / "a.pmx", rows, version, **attrs))
    assert found.rows.read(3, 30).tobytes() == rows[3:30].tobytes()
    np.testing.assert_array_equal(
        found.rows.column(("itr", "loc"), 3, 30), rows["itr"]["loc"][3:30]
    )
    assert found.attrs["pmx_parameters"] == {
        "applied_efo_thresholds": [1e4, 9e4],
        "is_tracking": 0,
        "z_scaling_factor": 0.7,
    }
    assert found.attrs.get("reader_version") == attrs.get("reader_version")
    json.dumps(found.attrs)
    table = pickle.loads(pickle.dumps(found.rows))
    assert table.identity() == found.rows.identity()
    assert table.read(0, 1).tobytes() == rows[:1].tobytes()


@pytest.mark.parametrize("settings", [{}, {"chunks": (13, 7), "compression": "gzip"}])
def test_flat(tmp_path: Path, settings: dict) -> None:
    rows = flat()
    (found,) = open_pmx(save_flat(tmp_path / "a.pmx", rows, **settings))
    table = found.rows
    assert (table.grain, table.columnar) == (13 if settings else 1, True)
    records_ = table.read(5, 44)
    assert records_.dtype.names == (*rows.dtype.names, "fluo", "iid")
    assert records_["fluo"].dtype == np.uint8
    for name in rows.dtype.names:
        expected = rows[name][5:44][:, :1] if name == "dcr" else rows[name][5:44]
        np.testing.assert_array_equal(records_[name], expected.astype(records_[name].dtype.base))
        np.testing.assert_array_equal(table.column((name,), 5, 44), records_[name])
        if name not in ("cfr", "dcr"):
            assert records_[name].dtype == rows[name].dtype
    np.testing.assert_array_equal(table.part(("loc",), (1,), 5, 44), rows["loc"][5:44, 1])
    assert found.attrs["pmx_parameters"]["fluorophore_names"] == {"1": "A"}
    assert found.attrs["reader_version"] == 2


def test_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pmx"
    refuse(save_nested(path, records(), "4.0"), "file_version '4.0'", read_all)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    refuse(path, "file_version None", read_all)
    with h5py.File(path, "a") as file:
        file.attrs["file_version"] = "3.0"
    refuse(path, "holds no records", read_all)
    refuse(save_nested(path, flat()), "no nested records", read_all)
    save_flat(path, flat())
    with h5py.File(path, "a") as file:
        file["raw/df"].attrs["column_names"] = ["a"]
    refuse(path, "has the columns", read_all)
    save_flat(path, flat())
    with h5py.File(path, "a") as file:
        file["raw/df"].attrs["column_names"] = [*COLUMNS.replace("tid", "tix").split()]
    refuse(path, "lacks tid", read_all)
    names = [name if name != "fluo" else "" for name in COLUMNS.split()]
    assert "" in names
    save_flat(path, flat())
    with h5py.File(path, "a") as file:
        file["raw/df"].attrs["column_names"] = names
    refuse(path, "nameless columns", read_all)
    save_flat(path, flat())
    with h5py.File(path, "a") as file:
        file["raw/df"][7, 6] = 0.5
    refuse(path, r"tid holds 0.5.*row 7", read_all)
    save_nested(path, records())
    with h5py.File(path, "a") as file:
        del file["raw/npy"]
        file["raw/npy"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
    refuse(path, "external link", read_all)


def test_a_flag_that_is_none(tmp_path: Path) -> None:
    rows = records()
    # bytes that no bool has can only be made in the raw bytes
    rows["vld"].view(np.uint8)[5] = 7
    with h5py.File(tmp_path / "a.pmx", "w") as file:
        file.attrs["file_version"] = "1.0"
        data = file.create_dataset("raw/npy", (40,), rows.dtype, chunks=(40,), compression="gzip")
        import zlib

        data.id.write_direct_chunk((0,), zlib.compress(rows.tobytes()))
    refuse(tmp_path / "a.pmx", "flags vld are neither", read_all)


def test_damage(tmp_path: Path) -> None:
    for save, rows in ((save_nested, records(30, 2)), (save_flat, flat(30))):
        whole = save(tmp_path / "a.pmx", rows).read_bytes()
        assert damage(whole, tmp_path / "b.pmx", read_all, 100) > 35


def test_empty(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.pmx", "w") as file:
        file.attrs["file_version"] = "1.0"
        file.create_dataset("raw/npy", data=records(0))
    assert len(read_all(tmp_path / "a.pmx")) == 0
    (tmp_path / "b.pmx").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        open_pmx(tmp_path / "b.pmx")
