"""Shifts of windows for rows in blocks: bands, groups and batches are parts of one whole."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked import drift as module
from mfxarray.chunked.drift import Rows, measure_shifts, summarise_rows
from mfxarray.kernels.drift.blocks import Sample, halves_of
from mfxarray.kernels.drift.lags import Search, count_lags
from mfxarray.kernels.drift.points import Lattice, Windows, make_table
from mfxarray.kernels.drift.shifts import Peak, find_shifts, margin_of
from mfxarray.kernels.drift.solve import Curve
from mfxarray.testing import count_computes

PEAK = Peak(3.0, 10.0, 20, 20, True)
REACH = PEAK.search + margin_of(PEAK)
LATTICE = Lattice(2e-9, 2, 12)
SEARCH = Search(REACH, 3, 3)
WINDOWS = Windows(0.0, 10.0, 3, True)


def columns(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    sites = rng.uniform(-500e-9, 500e-9, (80, 3))
    position = sites[rng.integers(0, 80, n)] + rng.normal(0, 2e-9, (n, 3))
    tim = np.sort(rng.uniform(0, 30, n))
    position[:, 0] += tim * 0.3e-9
    return rng.random(n) < 0.9, position, tim, np.arange(n, dtype=np.int32) // 5


def rows_of(parts, chunk):
    used, position, tim, tid = (
        da.from_array(part, chunks=(chunk, -1)[: part.ndim]) for part in parts
    )
    return Rows(used, position, tim, (tid,))


def directly(parts, keep=None):
    used, position, tim, _ = parts
    number = WINDOWS.number_of(tim)
    number[~used] = -1
    if keep is not None:
        number[~keep] = -1
    lags = count_lags(make_table(position, number, LATTICE), LATTICE, SEARCH, (-500, 500))
    return find_shifts(lags, PEAK), number


def strips_of(rows, shift=0.0):
    return summarise_rows(rows).strips(LATTICE.pixel * LATTICE.strip, shift)


@pytest.mark.parametrize("chunk", [3000, 1000, 431])
@pytest.mark.parametrize("band", [100_000, 300])
def test_equals_one_table_of_all(chunk, band, monkeypatch):
    monkeypatch.setattr(module, "_BAND_ROWS", band)
    parts = columns()
    rows = rows_of(parts, chunk)
    found = measure_shifts(rows, Sample(WINDOWS, LATTICE), SEARCH, PEAK, strips_of(rows))
    (shifts, quality), number = directly(parts)
    np.testing.assert_array_equal(found[0], shifts)
    np.testing.assert_array_equal(found[1], quality)
    np.testing.assert_array_equal(found[2][:, 0], np.bincount(number[number >= 0]))
    since = parts[2] - number * 10.0
    expected = [since[number == window].sum() for window in range(3)]
    np.testing.assert_allclose(found[2][:, 1] * 1e-6, expected, rtol=1e-6)


def test_rows_are_read_once_where_the_tables_fit(monkeypatch):
    monkeypatch.setattr(module, "_LAG_BYTES", 1)
    parts = columns()
    read = []

    def look(block):
        read.append(len(block))
        return block

    rows = rows_of(parts, 1000)
    position = rows.position.map_blocks(look, meta=np.empty((0, 3)))
    watched = Rows(rows.used, position, rows.tim, rows.keys)
    strips = strips_of(rows)
    with count_computes() as made:
        measure_shifts(watched, Sample(WINDOWS, LATTICE), SEARCH, PEAK, strips)
    assert sum(read) == 3000
    # the tables, each of the two batches that have pairs, and the content of the windows
    assert len(made) <= 5


def test_halves_are_whole_traces_and_disjoint():
    parts = columns()
    rows = rows_of(parts, 1000)
    tid = parts[3]
    contents = []
    for half in (0, 1):
        sample = Sample(WINDOWS, LATTICE, half=half)
        found = measure_shifts(rows, sample, SEARCH, PEAK, strips_of(rows))
        contents.append(found[2][:, 0])
        keep = halves_of([tid]) == half
        assert (keep.reshape(-1, 5) == keep.reshape(-1, 5)[:, :1]).all()
        np.testing.assert_array_equal(found[0], directly(parts, keep)[0][0])
        assert 0.4 < keep.mean() < 0.6
    assert sum(contents).sum() == parts[0].sum()


def test_limits_are_those_of_the_positions():
    parts = columns()
    rows = rows_of(parts, 1000)
    limits = ((-200e-9, 300e-9), (0.0, 1.0))
    found = measure_shifts(rows, Sample(WINDOWS, LATTICE, limits), SEARCH, PEAK, strips_of(rows))
    x, y = parts[1][:, 0], parts[1][:, 1]
    keep = (x >= -200e-9) & (x <= 300e-9) & (y >= 0)
    np.testing.assert_array_equal(found[0], directly(parts, keep)[0][0])


def test_a_curve_is_subtracted_first():
    parts = columns()
    rows = rows_of(parts, 1000)
    times = np.array([0.0, 30.0])
    curve = Curve(times, np.stack([times * 0.3e-9, 0 * times, 0 * times], axis=1), "chord")
    sample = Sample(WINDOWS, LATTICE, curve=curve)
    shifts, _, _ = measure_shifts(rows, sample, SEARCH, PEAK, strips_of(rows, 10e-9))
    before, _, _ = measure_shifts(rows, Sample(WINDOWS, LATTICE), SEARCH, PEAK, strips_of(rows))
    assert abs(before[1, 0] * 2 - 6.0) < 0.5
    assert np.abs(shifts[:, :2] * 2).max() < 0.5


def test_bands_cover_all_strips_once(monkeypatch):
    monkeypatch.setattr(module, "_BAND_ROWS", 10)
    strips = np.array([[-3, 0], [0, 4], [1, 7], [9, 20], [10, 0], [12, 3]])
    bands = module._bands(strips)
    assert bands == [(-3, 2, 11), (2, 10, 20), (10, 13, 3)]
    monkeypatch.setattr(module, "_HELD_ROWS", 25)
    assert module._groups(bands) == [[(-3, 2)], [(2, 10), (10, 13)]]


def test_batches_hold_all_pairs(monkeypatch):
    search = Search(4, 9, 4)
    monkeypatch.setattr(module, "_LAG_BYTES", 8 * 81 * 10)
    batches = list(module._batches(search, 2))
    parts = [search.pairs(*batch) for batch in batches]
    np.testing.assert_array_equal(np.concatenate(parts), search.pairs())
    assert all(len(part) <= 10 for part in parts)
    assert len(batches) > 2


def test_blocks_without_rows_change_nothing():
    parts = columns()
    used = parts[0].copy()
    used[:1000] = False
    rows = rows_of((used, *parts[1:]), 1000)
    found = measure_shifts(rows, Sample(WINDOWS, LATTICE), SEARCH, PEAK, strips_of(rows))
    np.testing.assert_array_equal(found[0], directly((used, *parts[1:]))[0][0])
