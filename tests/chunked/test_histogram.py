"""Histograms of points in a plane against numpy."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.histogram import plane_histogram, plane_limits

LIMITS = ((-1.0, 1.0), (0.0, 3.0))


@pytest.fixture
def points():
    found = np.random.default_rng(4).normal(0.2, 1.0, (1000, 2))
    found[::17] = np.nan
    found[5, 1] = np.nan
    return found


@pytest.mark.parametrize("chunk", [1, 37, 1000])
def test_against_numpy(points, chunk: int):
    known = points[~np.isnan(points).any(axis=1)]
    wanted, _, _ = np.histogram2d(*known.T, bins=(7, 11), range=LIMITS)
    lazy = plane_histogram(da.from_array(points, chunks=(chunk, -1)), LIMITS, (7, 11))
    assert lazy.shape == (7, 11)
    assert lazy.dtype == np.int64
    np.testing.assert_array_equal(lazy.compute(), wanted)


def test_that_both_limits_are_inside():
    corners = np.array([[-1.0, 0.0], [1.0, 3.0], [-1.0, 3.0], [np.nextafter(1, 2), 3.0]])
    found = plane_histogram(da.from_array(corners, chunks=(2, -1)), LIMITS, (2, 3)).compute()
    wanted = np.zeros((2, 3), int)
    wanted[0, 0] = wanted[1, 2] = wanted[0, 2] = 1
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("chunk", [3, 1000])
def test_limits(points, chunk: int):
    found = plane_limits(da.from_array(points, chunks=(chunk, -1))).compute()
    np.testing.assert_array_equal(found, [np.nanmin(points, 0), np.nanmax(points, 0)])


@pytest.mark.parametrize("rows", [0, 3])
def test_that_no_numbers_have_no_limits(rows: int):
    found = plane_limits(da.full((rows, 2), np.nan, chunks=(2, -1))).compute()
    np.testing.assert_array_equal(found, [[np.inf] * 2, [-np.inf] * 2])
    empty = plane_histogram(da.full((rows, 2), np.nan, chunks=(2, -1)), LIMITS, (2, 2))
    assert empty.compute().sum() == 0
