"""Compiled kernels of traces, beads, drift and images of localizations."""

from __future__ import annotations

import numpy as np

__all__ = ["warm_traces"]

_SIZE = 16


def warm_traces() -> None:
    """Compile them, or load them from the cache."""
    _warm_moments()
    _warm_traces()
    _warm_drift()
    _warm_rendering()
    _warm_resolution()


def _warm_moments() -> None:
    from mfxarray.kernels.traces.moments import merge_runs, run_moments, run_starts

    for dtype in (np.int32, np.int64, np.uint32):
        run_starts(np.zeros(2, dtype))
    runs = run_moments(np.zeros((4, 3)), np.zeros(4), np.array([0, 2]))
    merge_runs(runs, np.zeros(2, np.int64), 1)


def _warm_traces() -> None:
    from mfxarray.kernels.traces.aggregation import group_starts, weighted_means
    from mfxarray.kernels.traces.crb import effective_numbers
    from mfxarray.kernels.traces.density import neighbour_density
    from mfxarray.kernels.traces.known import known_rows
    from mfxarray.kernels.traces.medians import run_medians
    from mfxarray.kernels.traces.moments import run_sums
    from mfxarray.kernels.traces.settling import first_settled
    from mfxarray.kernels.traces.spreads import trace_spreads

    starts, xyz = np.array([0, 2]), np.zeros((4, 3))
    run_medians(np.zeros(4), starts)
    for dtype in (np.int32, np.int64):
        run_sums(np.zeros(4, dtype), starts)
    known_rows(np.ones(4, bool), xyz)
    trace_spreads(np.ones((2, 10)), 1, np.nan, 1, None)
    trace_spreads(np.ones((2, 10)), 1, np.nan, 1, (0, 1))
    group_starts(np.ones(4), starts, 1.0)
    weighted_means(xyz, np.ones(4), starts)
    first_settled(xyz, starts, 1.0)
    effective_numbers(xyz, starts)
    neighbour_density(xyz, 1.0)


def _warm_drift() -> None:
    from mfxarray.kernels.drift.lags import Search, count_lags
    from mfxarray.kernels.drift.matches import sum_matches
    from mfxarray.kernels.drift.peaks import find_peaks, judge_shifts
    from mfxarray.kernels.drift.points import Lattice, make_table
    from mfxarray.kernels.drift.shifts import Peak, find_shifts
    from mfxarray.kernels.drift.traces import near_counts

    peak = Peak(fwhm=1.0, centroid=2.0, search=2, iterations=1, from_maximum=True)
    windows = np.arange(2, dtype=np.int32)
    for dimensions in (2, 3):
        lattice = Lattice(1e-9, dimensions, 4)
        table = make_table(np.zeros((2, 3)), windows, lattice)
        lags = count_lags(table, lattice, Search(4, 2, 2), (0, 1))
        find_shifts(lags, peak)
        find_peaks(lags, peak)
        judge_shifts(lags, peak, np.zeros((1, 3)))
        places, pairs = np.zeros((2, dimensions)), np.array([[0, 1]])
        sum_matches(places, np.zeros(2), windows, np.ones(2), pairs, 1e-8)
    near_counts(np.zeros((2, 3)), np.zeros(2, np.int32), 1e-9)


def _warm_rendering() -> None:
    from mfxarray.kernels.rendering.drawing import Drawing, add_parts, sort_block
    from mfxarray.kernels.rendering.grids import Grid, Tiles
    from mfxarray.kernels.rendering.rendering import add_points
    from mfxarray.kernels.rendering.seed_rendering import seed_stamps

    xyz, yes, amounts = np.zeros((2, 3)), np.ones(2, bool), np.ones((2, 1))
    for axes in (2, 3):
        grid = Grid((0.0,) * axes, (1.0,) * axes, (4,) * axes)
        tiles = Tiles((1 if axes == 2 else 4, 4, 4), (1, 1, 1))
        columns = (2, 1, 0)[-axes:]
        add_points(np.zeros(grid.shape, np.uint32), xyz, yes, columns, grid)
        for sigma in (None, (1.0,) * axes):
            drawing = Drawing(grid, tiles, columns, sigma is not None, sigma, amounts=1)
            parts = sort_block(drawing, (0, tiles.count), yes, xyz, None, amounts, None)
            add_parts(drawing, 0, None, parts[:1])
        seed_stamps(xyz, (1.0,) * axes, columns, grid)


def _warm_resolution() -> None:
    from mfxarray.kernels.resolution.fourier_rings import (
        Rings,
        half_spectrum,
        ring_coefficients,
        ring_sums,
    )
    from mfxarray.kernels.resolution.halves import add_half, split_words

    rings = Rings((4, 4), (1.0, 1.0), 0.25, 2)
    spectrum = half_spectrum(np.zeros((4, 4), np.float32))
    ring_sums(spectrum, spectrum, rings)
    ring_coefficients(rings)
    split_words(0, [np.arange(1)])
    image, place = np.zeros((1, 1, 1), np.float32), np.zeros(1, np.int32)
    step = np.zeros(0, np.int32)
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        add_half(image, place, np.zeros(1, word), step, bits=(0, 0, 0), split=0, until=0)
