"""Selection of rows with chunk sizes known beforehand."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.select import select_rows, selection_groups
from mfxarray.errors import ChunkError


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(100,), (100, 3), (100, 3, 2)])
def test_rows_equal_numpy(fraction, shape):
    rng = np.random.default_rng(0)
    values, keep = rng.normal(size=shape), rng.random(100) < fraction
    rows = (13, 40, 1, 46)
    array = da.from_array(values, chunks=(rows, *shape[1:]))
    mask = da.from_array(keep, chunks=(rows,))
    counts = [int(part.sum()) for part in np.split(keep, np.cumsum(rows)[:-1])]
    groups = selection_groups(counts, rows)
    found = select_rows(array, mask, counts, groups)
    assert found.shape == values[keep].shape
    np.testing.assert_array_equal(found.compute(), values[keep])
    assert found.dtype == values.dtype


def test_chunked_along_other_axes_too():
    values, keep = np.arange(24).reshape(6, 4), np.array([True, False] * 3)
    array = da.from_array(values, chunks=(3, 2))
    found = select_rows(array, da.from_array(keep, chunks=3), [2, 1], [(0, 1), (1, 2)])
    np.testing.assert_array_equal(found.compute(), values[keep])
    assert found.chunks == ((2, 1), (2, 2))


def test_slivers_are_joined():
    assert selection_groups([1, 1, 1, 50, 2], [100] * 5) == [(0, 4), (4, 5)]


def test_a_wrong_count_fails():
    array = da.arange(6, chunks=3)
    with pytest.raises(RuntimeError, match="were counted"):
        select_rows(array, array > 2, [1, 3], [(0, 1), (1, 2)]).compute()


def test_different_chunks_are_refused():
    with pytest.raises(ChunkError):
        select_rows(da.arange(6, chunks=3), da.ones(6, chunks=2, dtype=bool), [3, 3], [(0, 2)])
