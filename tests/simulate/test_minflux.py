"""Simulated measurements follow the conventions of real ones and their own truth."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mfxarray.formats.localizations import LocalizationFile, sentinel_to_nan
from mfxarray.formats.npy.fields import record_dtype
from mfxarray.simulate.minflux import MinfluxTruth, simulate_minflux
from mfxarray.simulate.minflux_blocks import TRACES_PER_BLOCK
from tests.formats.nested_records import open_file

LIMITS = {2: [160, 150, 100, 100, 150], 3: [160, 400, 100, 50, 67, 33, 67, 33, 100, 50]}
PRECISION = (2e-9, 2e-9, 3e-9)
N = 24_000

Made = tuple[int, LocalizationFile, np.ndarray, MinfluxTruth]


@pytest.fixture(scope="module", params=[2, 3])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return dimensions, file, all rows and truth of a measurement that drifts."""
    path = tmp_path_factory.mktemp("sim") / "a.npy"
    truth = simulate_minflux(
        path,
        localizations=N,
        seed=3,
        dimensions=request.param,
        precision_m=PRECISION,
        drift_m_per_s=(5e-12, -2e-12, 1e-12),
        jump_m=(1e-7, 0.0, 0.0),
    )
    opened = open_file(path)
    return request.param, opened, opened.records.read(0, opened.records.n_rows), truth


def first_rows(rows: np.ndarray) -> np.ndarray:
    return np.diff(rows["tid"], prepend=-1) != 0


class TestConventions:
    def test_records(self, made: Made) -> None:
        dimensions, opened, rows, _ = made
        k = {2: 5, 3: 10}[dimensions]
        assert opened.records.dtype == record_dtype(k)
        assert len(rows) == N
        assert opened.cfr_iteration == {2: 4, 3: 6}[dimensions]
        assert not opened.attrs["aggregated"]
        np.testing.assert_array_equal(rows["itr"]["itr"], np.tile(np.arange(k), (N, 1)))

    def test_time(self, made: Made) -> None:
        _, _, rows, truth = made
        tic = rows["itr"]["tic"].astype(np.int64)
        np.testing.assert_array_equal(rows["tim"], tic[:, -1] * 25e-9)
        assert (np.diff(tic.ravel()) > 0).all()
        assert truth.duration_s == rows["tim"][-1]
        inside = ~first_rows(rows)[1:]
        steps = np.diff(rows["tim"])
        assert 5e-3 < np.median(steps[inside]) < 30e-3
        assert 1 < np.median(steps[~inside]) < 10

    def test_heads_are_empty(self, made: Made) -> None:
        dimensions, _, rows, _ = made
        nested, first, valid = rows["itr"], first_rows(rows), rows["vld"]
        head = slice(0, {2: 3, 3: 6}[dimensions])
        later = ~first
        assert np.isnan(nested["loc"][later, head]).all()
        assert np.isnan(nested["efo"][later, head]).all()
        assert np.isnan(nested["dcr"][later, head]).all()
        assert np.isnan(nested["efc"][later, head]).all()
        assert (nested["eco"][later, head] == 0).all()
        assert (nested["ecc"][later, head] == 0).all()
        assert (nested["sta"][later, head] == 0).all()
        assert np.isfinite(nested["loc"][first & valid]).all()
        assert np.isfinite(nested["loc"][valid, head.stop :]).all()

    def test_cfr(self, made: Made) -> None:
        dimensions, _, rows, _ = made
        nested = rows["itr"]
        assert np.isfinite(nested["cfr"]).all()  # never NaN in the vendor's files
        cfr = sentinel_to_nan(nested["cfr"])
        executed = np.isfinite(nested["efo"])
        measured = {2: range(5), 3: (2, 6)}[dimensions]
        for k in range(executed.shape[1]):
            expected = executed[:, k] if k in measured else np.zeros(N, bool)
            np.testing.assert_array_equal(np.isfinite(cfr[:, k]), expected)
        both = np.isfinite(cfr)
        np.testing.assert_allclose(nested["efc"][both], (nested["efo"] * cfr)[both])

    def test_photons(self, made: Made) -> None:
        dimensions, _, rows, _ = made
        nested = rows["itr"]
        executed = np.isfinite(nested["efo"])
        smallest = [int(nested["eco"][executed[:, k], k].min()) for k in range(executed.shape[1])]
        np.testing.assert_array_equal(smallest, LIMITS[dimensions])

    def test_invalid_rows(self, made: Made) -> None:
        _, _, rows, truth = made
        nested, invalid = rows["itr"], ~rows["vld"]
        assert 0.04 < invalid.mean() < 0.06
        assert np.isnan(nested["loc"][invalid, -1]).all()
        last = np.append(first_rows(rows)[1:], True)
        assert last[invalid].all()  # an abort ends its trace
        status = nested["sta"]
        np.testing.assert_array_equal((status != 0).sum(1), invalid)
        k = np.arange(status.shape[1])
        after = k >= np.argmax(status != 0, 1)[:, None]
        assert np.isnan(nested["loc"][invalid][after[invalid]]).all()
        assert (truth.trace_rows - truth.trace_valid).sum() == invalid.sum()

    def test_constants(self, made: Made) -> None:
        dimensions, _, rows, _ = made
        nested = rows["itr"]
        for name, value in (("dos", 255), ("sky", 2), ("sqi", 0), ("act", 0)):
            assert (rows[name] == value).all()
        np.testing.assert_array_equal(rows["gri"], rows["tid"])
        assert nested["loc"].tobytes() == nested["lnc"].tobytes()
        if dimensions == 2:
            z = nested["loc"][..., 2]
            assert (z[np.isfinite(z)] == 0.0).all()
            assert (rows["itr"]["dmz"] == 0).all()

    def test_galvo_deflector_and_beam_add_up(self, made: Made) -> None:
        _, _, rows, _ = made
        nested = rows["itr"]
        done = np.isfinite(nested["efo"])
        for axis, name in enumerate("xy"):
            total = nested[f"gv{name}"] + nested[f"eo{name}"] + nested[f"lc{name}"]
            np.testing.assert_allclose(total[done], nested["loc"][..., axis][done], atol=1e-18)

    def test_frequencies_and_ratios(self, made: Made) -> None:
        _, _, rows, truth = made
        efo = rows["itr"]["efo"][:, -1]
        double = np.repeat(truth.trace_double, truth.trace_rows)
        low, high = np.nanpercentile(efo[~double], [5, 95])
        assert 15e3 < low < high < 60e3
        assert (efo[double] > 48e3).sum() > 0.5 * np.isfinite(efo[double]).sum()
        dcr = rows["itr"]["dcr"][:, -1]
        species = np.repeat(truth.trace_species, truth.trace_rows)
        assert np.nanmean(dcr[species == 0]) == pytest.approx(0.38, abs=0.005)
        assert np.nanmean(dcr[species == 1]) == pytest.approx(0.62, abs=0.005)

    @pytest.mark.realdata
    def test_same_ext_as_real_files(self, made: Made, data_dir: Path) -> None:
        dimensions, _, rows, _ = made
        facts = json.loads((data_dir / "minflux" / "facts.json").read_text())
        expected = facts[f"{dimensions}D_ValidOnly.npy"]["ext_x_nm"]
        np.testing.assert_allclose(rows["itr"]["ext"][0, :, 0] * 1e9, expected, rtol=1e-12)
        assert rows.dtype == np.load(data_dir / "minflux" / f"{dimensions}D_ValidOnly.npy").dtype


class TestTruth:
    def test_traces(self, made: Made) -> None:
        _, _, rows, truth = made
        starts = np.flatnonzero(first_rows(rows))
        np.testing.assert_array_equal(rows["tid"][starts], truth.trace_tid)
        np.testing.assert_array_equal(np.diff(starts, append=N), truth.trace_rows)
        np.testing.assert_array_equal(np.add.reduceat(rows["vld"], starts), truth.trace_valid)
        assert np.unique(truth.trace_tid).size == truth.trace_tid.size
        whole = truth.trace_valid[:-1]  # the last trace may be cut
        assert whole.mean() == pytest.approx(10, rel=0.05)
        assert whole.min() == 1

    def test_precision(self, made: Made) -> None:
        dimensions, _, rows, truth = made
        valid = rows["vld"]
        centre = np.repeat(truth.trace_centre, truth.trace_rows, axis=0)
        residue = rows["itr"]["loc"][:, -1] - centre - truth.motion.at(rows["tim"])
        residue = residue[valid]
        for axis in range(dimensions):
            assert residue[:, axis].std() == pytest.approx(PRECISION[axis], rel=0.02)
            assert abs(residue[:, axis].mean()) < 5 * PRECISION[axis] / np.sqrt(len(residue))
            assert stats.kstest(residue[:, axis] / PRECISION[axis], "norm").pvalue > 1e-4
        assert truth.precision_m == (*PRECISION[:dimensions], 0.0)[:3]

    def test_motion(self, made: Made) -> None:
        dimensions, _, _, truth = made
        z = 1e-12 if dimensions == 3 else 0.0
        moved = truth.motion.at(np.array([0.0, 100.0]))
        np.testing.assert_allclose(moved, [[1e-7, 0, 0], [1e-7 + 5e-10, -2e-10, 100 * z]])

    def test_rings(self, made: Made) -> None:
        _, _, _, truth = made
        corners = truth.emitters.reshape(-1, 8, 3)
        radius = np.linalg.norm(corners - corners.mean(1, keepdims=True), axis=2)
        np.testing.assert_allclose(radius, 55e-9, rtol=1e-6)
        assert len(corners) == 100  # four per square micrometre
        np.testing.assert_array_equal(truth.emitters[truth.trace_emitter], truth.trace_centre)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_deterministic(tmp_path: Path) -> None:
    hashes = []
    for seed, wash in ((0, 0), (0, 0), (1, 0), (0, 1)):
        simulate_minflux(tmp_path / "a.npy", localizations=500, seed=seed, wash=wash)
        hashes.append(digest(tmp_path / "a.npy"))
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_shorter_file_is_the_start_of_a_longer_one(tmp_path: Path) -> None:
    long = simulate_minflux(tmp_path / "long.npy", localizations=15_000, dimensions=2)
    rows = np.load(tmp_path / "long.npy")
    assert long.trace_tid.size > TRACES_PER_BLOCK  # more than one block
    for n in (1, 2, 9_999, 14_999):
        short = simulate_minflux(tmp_path / "short.npy", localizations=n, dimensions=2)
        assert np.load(tmp_path / "short.npy").tobytes() == rows[:n].tobytes()
        assert short.trace_rows.sum() == n
        assert short.trace_valid.sum() == rows["vld"][:n].sum()


@pytest.mark.parametrize(("dimensions", "k"), [(2, 1), (2, 2), (2, 7), (3, 1), (3, 5), (3, 12)])
def test_other_numbers_of_iterations(tmp_path: Path, dimensions: int, k: int) -> None:
    path = tmp_path / "a.npy"
    simulate_minflux(path, localizations=300, dimensions=dimensions, iterations=k)
    opened = open_file(path)
    rows = opened.records.read(0, 300)
    assert opened.attrs["n_iterations"] == k
    assert np.isfinite(rows["itr"]["loc"][rows["vld"], -1]).all()


def test_no_invalid_rows(tmp_path: Path) -> None:
    truth = simulate_minflux(tmp_path / "a.npy", localizations=3000, invalid_fraction=0.0)
    rows = np.load(tmp_path / "a.npy")
    assert rows["vld"].all()
    np.testing.assert_array_equal(truth.trace_rows, truth.trace_valid)


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate_minflux(
        tmp_path / "a.npy",
        localizations=25_000,
        dimensions=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (25_000, 25_000)
    assert len(seen) >= 2
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_memory_does_not_grow(tmp_path: Path) -> None:
    peaks = []
    for n in (12_000, 100_000):
        tracemalloc.start()
        simulate_minflux(tmp_path / "a.npy", localizations=n)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (tmp_path / "a.npy").stat().st_size > 200e6
    assert peaks[1] < 1.3 * peaks[0] < 130e6


@pytest.mark.parametrize(
    "wrong",
    [
        {"localizations": 0},
        {"localizations": -1},
        {"dimensions": 4},
        {"iterations": 0},
        {"seed": -1},
        {"field_m": 0.0},
        {"invalid_fraction": 0.2},
        {"invalid_fraction": -0.1},
        {"precision_m": -1e-9},
    ],
)
def test_wrong_parameters(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        simulate_minflux(tmp_path / "a.npy", **wrong)
    assert not list(tmp_path.iterdir())
