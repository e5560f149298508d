"""Tables that other programs read back as the numbers that were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.formats.text.table import open_text
from mfxarray.options import set_options
from mfxarray.records.columns import spool
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.text import write_text

SENTINEL = -1 / 32768


def outgoing(rows: np.ndarray, step: int = 100) -> Outgoing:
    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(rows), step):
            yield rows[start : start + step]

    return Outgoing(rows.dtype, len(rows), blocks)


def nested(n: int = 350, k: int = 4) -> np.ndarray:
    rng = np.random.default_rng(2)
    rows = np.zeros(n, record_dtype(k))
    rows["itr"]["loc"] = rng.normal(0, 1e-6, (n, k, 3))
    for name in ("efo", "dcr", "fbg"):
        rows["itr"][name] = rng.random((n, k)) * 1e4 + 1
    rows["itr"]["eco"] = rng.integers(10, 500, (n, k))
    rows["itr"]["cfr"] = SENTINEL
    rows["itr"]["cfr"][:, 1] = rng.random(n)
    rows["itr"]["cfr"][:, 2] = rng.random(n)
    rows["tid"] = np.arange(n) // 7
    rows["tim"] = np.sort(rng.random(n)) * 1e4
    rows["vld"] = rng.random(n) < 0.7
    return rows


def flat(n: int = 500, k: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = np.zeros(n, flat_record_dtype())
    rows["itr"] = np.arange(n) % k
    rows["vld"] = rng.random(n) < 0.7
    rows["loc"] = rng.normal(0, 1e-6, (n, 3))
    rows["eco"] = rng.integers(10, 500, n)
    rows["efo"] = rng.random(n) * 1e4 + 1
    rows["dcr"] = rng.random((n, 2))
    rows["cfr"] = rng.random(n)
    rows["tid"] = np.arange(n) // 40
    rows["tim"] = np.arange(n) / 7
    return rows


def test_pyminflux_of_nested(tmp_path: Path) -> None:
    rows = nested()
    write_text(tmp_path / "a.csv", outgoing(rows))
    table = pd.read_csv(tmp_path / "a.csv")
    names = ["tid", "tim", "x", "y", "z", "efo", "cfr", "eco", "dcr", "dwell", "fluo", "fbg"]
    assert list(table.columns) == names
    kept = rows[rows["vld"]]
    last = kept["itr"][:, -1]
    assert len(table) == len(kept)
    for axis, name in enumerate("xyz"):
        np.testing.assert_array_equal(table[name], last["loc"][:, axis] * 1e9)
    for name in ("efo", "eco", "dcr", "fbg"):
        np.testing.assert_array_equal(table[name], last[name])
    # the last iteration that was measured, not the last one
    np.testing.assert_array_equal(table["cfr"], kept["itr"]["cfr"][:, 2])
    np.testing.assert_array_equal(table["dwell"], np.rint(last["eco"] / (last["efo"] / 1000)))
    np.testing.assert_array_equal(table["tid"], kept["tid"])
    np.testing.assert_array_equal(table["tim"], kept["tim"])
    assert set(table["fluo"]) == {1}


def test_seed_is_exact(tmp_path: Path) -> None:
    rows = nested()
    write_text(tmp_path / "a.csv", outgoing(rows), layout="seed")
    first = (tmp_path / "a.csv").read_text().split("\n")[0]
    assert first == "x (m),y (m),z (m),t (s),trace id"
    table = pd.read_csv(tmp_path / "a.csv")
    kept = rows[rows["vld"]]
    for axis, name in enumerate("xyz"):
        np.testing.assert_array_equal(table[f"{name} (m)"], kept["itr"]["loc"][:, -1, axis])
    (found,) = open_text(tmp_path / "a.csv")
    with set_options(cache_folder=tmp_path / "cache"):
        back = spool(found).read(0, len(kept))
    np.testing.assert_array_equal(back["itr"]["loc"][:, 0], kept["itr"]["loc"][:, -1])
    np.testing.assert_array_equal(back["tid"], kept["tid"])
    np.testing.assert_array_equal(back["tim"], kept["tim"])


@pytest.mark.parametrize("step", [1, 33, 10_000])
def test_flat_records(tmp_path: Path, step: int) -> None:
    rows = flat()
    write_text(tmp_path / "a.csv", outgoing(rows, step))
    table = pd.read_csv(tmp_path / "a.csv")
    kept = rows[rows["vld"] & (rows["itr"] == 4)]
    assert len(table) == len(kept)
    np.testing.assert_array_equal(table["x"], kept["loc"][:, 0] * 1e9)
    np.testing.assert_array_equal(table["dcr"], kept["dcr"][:, 0].astype(float))
    np.testing.assert_array_equal(table["cfr"], kept["cfr"].astype(float))
    np.testing.assert_array_equal(table["eco"], kept["eco"])


def test_our_reader_recognises_it(tmp_path: Path) -> None:
    rows = nested()
    write_text(tmp_path / "a.csv", outgoing(rows))
    (found,) = open_text(tmp_path / "a.csv")
    assert found.attrs["container_version"] == "pyMINFLUX csv"
    with set_options(cache_folder=tmp_path / "cache"):
        table = spool(found)
    kept = rows[rows["vld"]]
    back = table.read(0, table.n_rows)
    np.testing.assert_allclose(
        back["itr"]["loc"][:, 0], kept["itr"]["loc"][:, -1], rtol=1e-15, atol=0
    )
    np.testing.assert_array_equal(back["itr"]["eco"][:, 0], kept["itr"]["eco"][:, -1])


def test_reduced_records(tmp_path: Path) -> None:
    dtype = np.dtype(
        [("itr", [("loc", "<f8", (3,))], (1,)), ("tim", "<f8"), ("tid", "<i4"), ("fluo", "u1")]
    )
    rows = np.zeros(3, dtype)
    rows["itr"]["loc"][:, 0] = [[1e-9, np.nan, np.inf]] * 3
    rows["fluo"] = 2
    write_text(tmp_path / "a.csv", outgoing(rows))
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == ["tid", "tim", "x", "y", "z", "fluo"]
    assert table["x"].tolist() == [1.0] * 3
    assert np.isnan(table["y"]).all()
    assert np.isinf(table["z"]).all()
    assert set(table["fluo"]) == {2}


@pytest.mark.parametrize("rows", [nested(0), flat(0)], ids=["v1", "v2"])
@pytest.mark.parametrize("layout", ["pyminflux", "seed"])
def test_no_rows(tmp_path: Path, rows: np.ndarray, layout: str) -> None:
    write_text(tmp_path / "a.csv", outgoing(rows), layout=layout)
    assert len(pd.read_csv(tmp_path / "a.csv")) == 0
    none = nested()
    none["vld"] = False
    write_text(tmp_path / "b.csv", outgoing(none), layout=layout)
    assert len(pd.read_csv(tmp_path / "b.csv")) == 0


def test_target(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        write_text(path, outgoing(nested()))
    assert path.read_text() == "mine"
    with pytest.raises(ValueError, match="layout='excel' is not known"):
        write_text(path, outgoing(nested()), layout="excel", overwrite=True)
    write_text(path, outgoing(nested()), overwrite=True)
    assert path.read_text().startswith("tid,tim,x")


def test_failing_blocks_leave_the_target(tmp_path: Path) -> None:
    rows = flat()

    def blocks() -> Iterator[np.ndarray]:
        yield rows[:100]
        raise KeyboardInterrupt

    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        write_text(path, Outgoing(rows.dtype, len(rows), blocks), overwrite=True)
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
