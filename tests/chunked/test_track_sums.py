"""Sums over rows and their products."""

from __future__ import annotations

import dask.array as da
import numpy as np

from mfxarray.chunked.track_sums import ROWS, sums_and_products
from mfxarray.testing import raise_if_computes


def test_equals_numpy():
    rows = np.random.default_rng(1).normal(size=(500, 3))
    found = sums_and_products(da.from_array(rows, chunks=(77, 2))).compute()
    assert found[0, 0] == 500
    np.testing.assert_allclose(found[0, 1:], rows.sum(axis=0))
    np.testing.assert_allclose(found[1:, 1:], rows.T @ rows)
    np.testing.assert_array_equal(found, found.T)


def test_rows_that_are_not_finite_are_left_out():
    rows = np.array([[1.0, 2], [np.nan, 1], [3, np.inf], [5, 6]])
    found = sums_and_products(da.from_array(rows)).compute()
    assert found.tolist() == [[2, 6, 8], [6, 26, 32], [8, 32, 40]]


def test_the_same_bits_for_every_chunking():
    rows = np.random.default_rng(2).normal(size=(2 * ROWS + 100, 2)) * 1e-17
    found = [
        sums_and_products(da.from_array(rows, chunks=(size, 2))).compute().tobytes()
        for size in (len(rows), 1000, ROWS, ROWS + 1)
    ]
    assert len(set(found)) == 1


def test_lazy_and_empty():
    with raise_if_computes():
        found = sums_and_products(da.zeros((0, 2), chunks=(1, 2)))
    assert found.compute().tolist() == [[0.0] * 3] * 3
