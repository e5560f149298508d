"""Nested MINFLUX .npy files: the real ones to the last number, layouts, trace bounds."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.formats.localizations import (
    LocalizationFile,
    extract,
    sentinel_to_nan,
    trace_start_near,
)
from mfxarray.formats.sources import FileSource
from tests.formats.nested_records import SENTINEL, open_file, records, save

REAL = (
    "2D_ValidOnly.npy",
    "3D_ValidOnly.npy",
    "derived/2d_small_v1.npy",
    "derived/3d_small_v1.npy",
)


@pytest.fixture(scope="module", params=REAL)
def real(
    request: pytest.FixtureRequest, data_dir: Path
) -> tuple[LocalizationFile, np.ndarray, dict[str, Any]]:
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[request.param]
    opened = open_file(data_dir / "minflux" / request.param)
    return opened, opened.records.read(0, opened.records.n_rows), facts


def column(opened: LocalizationFile, rows: np.ndarray, name: str) -> np.ndarray:
    """Return a whole variable by its name in the file, through the public reader only."""
    field = next(field for field in opened.fields if field.variable.source_name == name)
    return extract(rows, field.path, field.dtype)


def table(values: np.ndarray) -> dict[str, float]:
    finite = values[np.isfinite(values)]
    return {
        "n_finite": finite.size,
        "min": float(finite.min()),
        "max": float(finite.max()),
        "mean": pytest.approx(float(finite.mean()), rel=1e-12, abs=1e-22),
    }


@pytest.mark.realdata
class TestRealFiles:
    def test_layout(self, real: Any) -> None:
        opened, rows, facts = real
        assert opened.records.file.size == facts["size"]
        assert len(rows) == opened.records.n_rows == facts["n_rows"]
        assert facts["kind"] == opened.attrs["format_version"]
        assert len(opened.iterations) == opened.attrs["n_iterations"] == facts["n_iterations"]
        assert opened.records.dtype.itemsize == facts["itemsize"]
        assert list(opened.records.dtype.names) == facts["fields"]
        assert list(opened.records.dtype["itr"].base.names) == facts["itr_fields"]
        assert str(np.lib.format.dtype_to_descr(opened.records.dtype)) == facts["dtype_descr"]
        assert opened.iterations == tuple(range(facts["n_iterations"]))

    def test_rows_and_traces(self, real: Any) -> None:
        opened, rows, facts = real
        tid, vld = column(opened, rows, "tid"), column(opened, rows, "vld")
        assert vld.sum() == facts["n_valid"]
        assert np.unique(tid).size == facts["n_traces"]
        assert np.unique(tid[vld]).size == facts["n_traces_valid"]
        assert np.unique(tid).size == facts["pyminflux_0.7.0"]["n_tid"]
        assert vld.sum() == facts["pyminflux_0.7.0"]["num_valid"]
        assert vld.size - vld.sum() == facts["pyminflux_0.7.0"]["num_invalid"]

    def test_hashes(self, real: Any) -> None:
        opened, rows, facts = real
        vld = column(opened, rows, "vld")
        last = np.ascontiguousarray(column(opened, rows, "loc")[vld, -1])
        assert hashlib.sha256(last.tobytes()).hexdigest() == facts["sha256_loc_last_valid"]
        tid = column(opened, rows, "tid").astype("<i8")
        assert hashlib.sha256(tid.tobytes()).hexdigest() == facts["sha256_tid"]
        assert hashlib.sha256(rows.tobytes()).hexdigest() == facts["sha256_rows"]
        whole = Path(opened.records.file.path).read_bytes()
        assert hashlib.sha256(whole).hexdigest() == facts["sha256"]

    def test_positions(self, real: Any) -> None:
        opened, rows, facts = real
        loc, vld = column(opened, rows, "loc"), column(opened, rows, "vld")
        for axis, name in enumerate("xyz"):
            assert facts["loc_last_valid_m"][name] == table(loc[vld, -1, axis])
        same = np.array_equal(loc, column(opened, rows, "lnc"), equal_nan=True)
        assert same == facts["lnc_equals_loc"]
        mean = loc[vld, facts["pyminflux_0.7.0"]["loc_index"]].mean(0) * 1e9
        assert mean == pytest.approx(facts["pyminflux_0.7.0"]["mean_xyz_nm"], rel=1e-12)
        assert (np.ptp(loc[:, -1, 2]) > 1e-11) == facts["pyminflux_0.7.0"]["is_3d"]

    def test_photons(self, real: Any) -> None:
        opened, rows, facts = real
        eco, efo = column(opened, rows, "eco"), column(opened, rows, "efo")
        measured = np.isfinite(efo)
        n_traces, n_rows = facts["n_traces"], facts["n_rows"]
        assert eco.sum() == facts["eco_sum_total"]
        assert eco[:, -1].sum() == facts["eco_sum_last"] == facts["pyminflux_0.7.0"]["sum_eco"]
        assert eco.sum(0).tolist() == facts["eco_sum_per_iteration"]
        assert measured.sum(0).tolist() == facts["measured_per_iteration"]
        again = [k for k, count in enumerate(measured.sum(0)) if count > n_traces]
        assert again == facts["relocalised_iterations"]
        assert [k in again for k in range(eco.shape[1])] == facts["pyminflux_0.7.0"]["reloc"]
        smallest = [int(eco[measured[:, k], k].min()) for k in range(eco.shape[1])]
        assert smallest == facts["min_eco_per_iteration_where_measured"]
        assert n_rows == facts["pyminflux_0.7.0"]["rows_processed"]

    def test_times(self, real: Any) -> None:
        opened, rows, facts = real
        tim, tic = column(opened, rows, "tim"), column(opened, rows, "tic")
        assert facts["tim"] == table(tim)
        assert bool((np.diff(tim) >= 0).all()) == facts["tim_monotonic"]
        assert np.abs(tim - tic[:, -1] * 25e-9).max() == facts["tim_minus_tic25ns_absmax"]

    def test_cfr(self, real: Any) -> None:
        opened, rows, facts = real
        cfr, vld = column(opened, rows, "cfr"), column(opened, rows, "vld")
        oracle = facts["pyminflux_0.7.0"]
        assert opened.cfr_iteration == opened.attrs["cfr_iteration"] == oracle["cfr_index"]
        assert opened.attrs["aggregated"] == oracle["is_aggregated"]
        absent = np.isnan(sentinel_to_nan(cfr)).sum(0).tolist()
        assert absent == facts["cfr_sentinel_count"]
        varies = [bool(cfr[:, k].std() > 0) for k in range(cfr.shape[1])]
        assert varies == oracle["valid_cfr"]
        varying = [k for k, value in enumerate(varies) if value]
        assert varying == facts["cfr_measured_iterations"]
        assert np.unique(cfr[vld, opened.cfr_iteration]).size == oracle["n_unique_cfr"]

    def test_last_iteration_tables(self, real: Any) -> None:
        opened, rows, facts = real
        for name in ("efo", "cfr", "dcr"):
            assert facts[f"{name}_last"] == table(column(opened, rows, name)[:, -1])

    def test_constants(self, real: Any) -> None:
        opened, rows, facts = real
        ext = column(opened, rows, "ext")[0, :, 0] * 1e9
        assert ext.tolist() == pytest.approx(facts["ext_x_nm"], rel=1e-14)
        for name in ("sta", "sky", "dos", "sqi"):
            assert np.unique(column(opened, rows, name)).tolist() == facts[name]
        assert column(opened, rows, "act").sum() == facts["act_true"]

    def test_every_key_of_facts_is_checked(self, real: Any) -> None:
        _, _, facts = real
        source = Path(__file__).read_text()
        looped = {"efo_last", "cfr_last", "dcr_last", "sta", "sky", "dos", "sqi"}
        missing = [key for key in facts if key not in looped and f'"{key}"' not in source]
        assert not missing

    def test_same_as_numpy(self, real: Any) -> None:
        opened, rows, _ = real
        oracle = np.load(opened.records.file.path, allow_pickle=False)
        for field in opened.fields:
            expected = oracle
            for name in field.path:
                expected = expected[name]
            found = extract(rows, field.path, field.dtype)
            np.testing.assert_array_equal(found, expected)
            assert found.flags.c_contiguous
            assert found.shape == (len(rows), *field.shape_tail)
            assert field.dims == field.variable.dims

    def test_flat_records(self, data_dir: Path) -> None:
        opened = open_file(data_dir / "minflux" / "derived" / "2d_v2.npy")
        assert opened.attrs["format_version"] == "v2 flat"
        assert opened.row_dim == "record"
        assert opened.records.n_rows == 28910
        types = {field.variable.name: field.dtype.str for field in opened.fields}
        assert {types[name] for name in ("cfr", "dcr")} == {"<f4"}
        assert {types[name] for name in ("eco", "ecc", "tid")} == {"<i8"}


@pytest.mark.parametrize("k", [1, 2, 4, 5, 6, 10, 11])
def test_any_number_of_iterations(tmp_path: Path, k: int) -> None:
    rows = records(30, k)
    opened = open_file(save(tmp_path / "a.npy", rows))
    assert opened.records.dtype.itemsize == 200 * k + 30
    assert opened.iterations == tuple(range(k))
    assert opened.cfr_iteration == k // 2
    np.testing.assert_array_equal(opened.records.read(3, 17), rows[3:17])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(tmp_path: Path, version: tuple[int, int]) -> None:
    rows = records()
    opened = open_file(save(tmp_path / "a.npy", rows, version))
    np.testing.assert_array_equal(opened.records.read(0, len(rows)), rows)


def test_big_endian(tmp_path: Path) -> None:
    rows = records()
    opened = open_file(save(tmp_path / "a.npy", rows.astype(rows.dtype.newbyteorder(">"))))
    block = opened.records.read(0, len(rows))
    for field in opened.fields:
        assert field.dtype.isnative
        expected = extract(rows, field.path, field.dtype)
        np.testing.assert_array_equal(extract(block, field.path, field.dtype), expected)
    assert opened.cfr_iteration == 2


def test_no_rows(tmp_path: Path) -> None:
    opened = open_file(save(tmp_path / "a.npy", records(0)))
    assert opened.records.n_rows == 0
    assert opened.cfr_iteration is None
    assert opened.iterations == (0, 1, 2, 3, 4)


def test_stored_iteration_numbers(tmp_path: Path) -> None:
    rows = records(9, 3)
    rows["itr"]["itr"] = [2, 5, 9]
    assert open_file(save(tmp_path / "a.npy", rows)).iterations == (2, 5, 9)
    rows["itr"]["itr"] = [0, 0, 1]
    assert open_file(save(tmp_path / "b.npy", rows)).iterations == (0, 1, 2)
    rows["itr"]["itr"] = [-1, 0, 1]
    assert open_file(save(tmp_path / "c.npy", rows)).iterations == (0, 1, 2)


def test_aggregated(tmp_path: Path) -> None:
    rows = records(9, 1)
    rows["itr"]["itr"] = 9
    rows["itr"]["tic"] = 0
    rows["itr"]["lnc"] = 0
    rows["itr"]["cfr"] = 0
    opened = open_file(save(tmp_path / "a.npy", rows))
    assert opened.attrs["aggregated"]
    assert opened.iterations == (9,)
    assert opened.cfr_iteration is None
    assert ("itr", "lnc") not in [field.path for field in opened.fields]
    rows["itr"]["tic"] = 1
    assert not open_file(save(tmp_path / "b.npy", rows)).attrs["aggregated"]


def test_cfr_seen_once_far_inside(tmp_path: Path) -> None:
    rows = records(20_000, 2)
    rows["itr"]["cfr"] = SENTINEL
    rows["itr"]["cfr"][12_000:, 1] = 0.5
    assert open_file(save(tmp_path / "a.npy", rows)).cfr_iteration == 1
    rows["itr"]["cfr"] = SENTINEL
    assert open_file(save(tmp_path / "b.npy", rows)).cfr_iteration is None


def test_opening_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.npy", records(30_000, 10))
    counts = []
    original = FileSource.read_into

    def counting(self: FileSource, buffer: memoryview, offset: int) -> None:
        counts.append(len(buffer))
        original(self, buffer, offset)

    monkeypatch.setattr(FileSource, "read_into", counting)
    open_file(path)
    assert sum(counts) < 1.2e6 < path.stat().st_size / 10


def test_travels_and_is_json(tmp_path: Path) -> None:
    opened = open_file(save(tmp_path / "a.npy", records()))
    again = pickle.loads(pickle.dumps(opened))
    assert again == opened
    assert json.loads(json.dumps(opened.attrs)) == opened.attrs
    assert str(tmp_path) not in json.dumps(opened.attrs)
    assert open_file(tmp_path / "a.npy").attrs == opened.attrs


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f8"])
def test_sentinel(kind: str) -> None:
    cfr = np.array([SENTINEL, 0.0, -SENTINEL, 0.5, np.nan], kind)
    found = sentinel_to_nan(cfr)
    np.testing.assert_array_equal(np.isnan(found), [True, False, False, False, True])
    assert cfr[0] == SENTINEL  # the input is left alone
    near = np.nextafter(np.float64(SENTINEL), 0)
    assert sentinel_to_nan(np.array([near]))[0] == near


def test_trace_start_near(tmp_path: Path) -> None:
    rows = records(100)
    table = open_file(save(tmp_path / "a.npy", rows)).records
    starts = np.flatnonzero(np.diff(rows["tid"], prepend=-1))
    for row in range(-2, 103):
        for window in (0, 1, 3, 10, 500):
            found = trace_start_near(table, row, window)
            if row <= 0 or row >= 100:
                assert found == min(max(row, 0), 100)
                continue
            near = starts[(starts >= row) & (starts < row + window)]
            assert found == (near[0] if near.size else row)


def test_trace_start_near_reads_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_file(save(tmp_path / "a.npy", records(100))).records
    counts = []
    original = FileSource.read_into

    def counting(self: FileSource, buffer: memoryview, offset: int) -> None:
        counts.append(len(buffer) // table.dtype.itemsize)
        original(self, buffer, offset)

    monkeypatch.setattr(FileSource, "read_into", counting)
    trace_start_near(table, 33, 8)
    assert counts == [9]
