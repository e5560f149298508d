"""Quantiles in two passes against numpy's."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked.quantiles import quantiles as quantiles_of

FRACTIONS = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]


def found_of(values, used=None, chunks=7, fractions=FRACTIONS):
    mask = np.ones(len(values), bool) if used is None else used
    arrays = (da.from_array(np.asarray(part), chunks=chunks) for part in (values, mask))
    n, *found = quantiles_of(*arrays, fractions).compute()
    return int(n), found


@pytest.mark.parametrize("chunks", [3, 100, 10_000])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e30])
def test_equals_numpy(chunks, scale):
    rng = np.random.default_rng(0)
    values, used = rng.normal(size=1001) * scale, rng.random(1001) < 0.7
    values[::9] = np.nan
    values[3], values[4] = np.inf, -np.inf
    kept = values[used & np.isfinite(values)]
    n, quantiles = found_of(values, used, chunks)
    assert n == len(kept)
    np.testing.assert_allclose(quantiles, np.quantile(kept, FRACTIONS), rtol=1e-14, atol=0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_ranks_are_exact(values):
    n = len(values)
    fractions = [rank / (n - 1) for rank in range(n)] if n > 1 else [0.5]
    count, quantiles = found_of(np.array(values), fractions=fractions)
    assert count == n
    np.testing.assert_allclose(quantiles, np.sort(values), rtol=1e-9, atol=1e-9)


def test_many_equal_values_and_none():
    values = np.repeat([3.0, -1.0, 0.0, -0.0], [500, 3, 2, 2])
    np.testing.assert_array_equal(found_of(values)[1], np.quantile(values, FRACTIONS))
    n, quantiles = found_of(np.full(9, np.nan))
    assert n == 0
    assert np.isnan(quantiles).all()


def test_integers_and_narrow_floats():
    for dtype in ("i4", "f4"):
        values = np.arange(-50, 50).astype(dtype)
        np.testing.assert_allclose(found_of(values)[1], np.quantile(values, FRACTIONS), rtol=1e-14)
