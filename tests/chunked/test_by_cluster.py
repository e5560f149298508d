"""Tables by cluster: every cluster whole and in order, however points are cut."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.by_cluster import cluster_table


def numbers(labels, starts, columns):
    """Label, points, and a sum that depends on their order."""
    value = columns[0]
    bounds = np.append(starts, len(value))
    rows = []
    for label, start, stop in zip(labels, bounds[:-1], bounds[1:], strict=True):
        own = value[start:stop]
        rows.append([label, len(own), own @ (1.0 + np.arange(len(own)))])
    return np.array(rows, float).reshape(-1, 3)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(-2, 40, 500)
    labels[rng.random(500) < 0.3] = 7
    labels[-1] = 2**40
    return rng.random(500) < 0.9, labels, rng.normal(0, 1, 500)


@pytest.mark.parametrize("chunk", [500, 61, 7])
@pytest.mark.parametrize("strips", [None, 1, 3, 11])
def test_every_cluster_once(data, chunk, strips):
    used, labels, values = (da.from_array(array, chunks=chunk) for array in data)
    table = cluster_table(numbers, used, labels, [values], width=3, strips=strips)
    assert np.isnan(table.shape[0])
    member = data[0] & (data[1] >= 0)
    wanted = []
    for label in np.unique(data[1][member]):
        own = data[2][member & (data[1] == label)]
        wanted.append([label, len(own), own @ (1.0 + np.arange(len(own)))])
    np.testing.assert_array_equal(table.compute(), wanted)


def test_no_cluster():
    used, labels = da.ones(10, chunks=4, dtype=bool), da.full(10, -1, chunks=4, dtype=np.int64)
    table = cluster_table(numbers, used, labels, [da.zeros(10, chunks=4)], width=3)
    assert table.compute().shape == (0, 3)
