"""Lazy exact quantiles against numpy."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from dask.base import compute

from mfxarray.chunked.quantiles import quantiles
from mfxarray.testing import raise_if_computes

FRACTIONS = (0.0, 0.013, 0.5, 0.98, 1.0)


def rows(n=5000, seed=1):
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(0, 3, n) ** 3, 2)
    values[rng.random(n) < 0.05] = np.nan
    values[rng.random(n) < 0.01] = np.inf
    values[rng.random(n) < 0.01] = -np.inf
    return values, rng.random(n) < 0.7


@pytest.mark.parametrize("hazen", [False, True])
@pytest.mark.parametrize("chunk", [5000, 700, 1])
def test_against_numpy(hazen, chunk):
    values, used = rows(5000 if chunk > 1 else 37)
    kept = values[used & np.isfinite(values)]
    found = quantiles(
        da.from_array(values, chunk), da.from_array(used, chunk), FRACTIONS, hazen=hazen
    )
    assert found.shape == (1 + len(FRACTIONS),)
    got = found.compute(scheduler="sync")
    assert got[0] == len(kept)
    wanted = np.quantile(kept, FRACTIONS, method="hazen" if hazen else "linear")
    np.testing.assert_allclose(got[1:], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_values(n):
    values, used = da.from_array(np.arange(n) + 5.0, 1), da.ones(n, chunks=1, dtype=bool)
    for hazen in (False, True):
        got = quantiles(values, used, (0.01, 0.5, 0.99), hazen=hazen).compute()
        method = "hazen" if hazen else "linear"
        np.testing.assert_allclose(
            got[1:], np.quantile(np.arange(n) + 5.0, (0.01, 0.5, 0.99), method=method)
        )


def test_that_nothing_gives_nan():
    used = da.zeros(10, chunks=3, dtype=bool)
    got = quantiles(da.ones(10, chunks=3), used, (0.2, 0.5)).compute()
    np.testing.assert_array_equal(got, [0, np.nan, np.nan])


def test_narrow_floats_and_integers():
    values = np.arange(100, dtype="f4") * np.float32(0.1)
    used = da.ones(100, chunks=30, dtype=bool)
    got = quantiles(da.from_array(values, 30), used, (0.25,)).compute()
    np.testing.assert_allclose(got[1], np.quantile(values.astype(float), 0.25), rtol=1e-12)


def test_lazy_and_the_same_bits_for_every_chunking():
    values, used = rows()
    with raise_if_computes():
        lazy = [
            quantiles(da.from_array(values, chunk), da.from_array(used, chunk), FRACTIONS)
            for chunk in (5000, 999, (1, 4000, 0, 999))
        ]
    first, *others = [array.compute() for array in lazy]
    for other in others:
        assert first.tobytes() == other.tobytes()


def test_that_blocks_are_read_twice_whatever_is_asked():
    read = []

    def block(start):
        read.append(int(start[0]))
        return start + np.arange(100.0)

    starts = da.from_array(np.arange(0, 1000, 100.0), 1)
    values = starts.map_blocks(block, chunks=((100,) * 10,), dtype=float, meta=np.empty(0))
    used = da.ones(1000, chunks=100, dtype=bool)
    wanted = [quantiles(values, used, (0.5,)), quantiles(values * 2, used, (0.1, 0.9), hazen=True)]
    with dask.config.set(scheduler="sync"):
        one, two = compute(*wanted)
    assert sorted(read) == sorted([*range(0, 1000, 100)] * 2)
    assert one[1] == 499.5
    np.testing.assert_allclose(two[1:], [2 * 99.5, 2 * 899.5])
