"""The checks check: each fails where it should."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.testing import (
    assert_chunk_invariant,
    assert_same_bits,
    count_computes,
    raise_if_computes,
)


def test_computing_raises():
    with raise_if_computes(), pytest.raises(AssertionError, match="stay lazy"):
        da.ones(3).compute()
    assert da.ones(3).compute().sum() == 3


def test_computes_are_counted():
    with count_computes() as made:
        da.ones(3).compute()
        da.ones(3).sum().compute()
    assert len(made) == 2


@pytest.mark.parametrize(
    "other",
    [
        np.array([0.0, np.nan, 2.0]),
        np.array([-0.0, np.nan, 1.0]),
        np.array([0, 0, 1]),
        np.array([0.0, np.nan]),
    ],
)
def test_different_bits_are_seen(other):
    first = xr.DataArray(np.array([0.0, np.nan, 1.0]))
    assert_same_bits(first, first.copy())
    with pytest.raises(AssertionError):
        assert_same_bits(first, xr.DataArray(other))


def test_different_names_and_texts_are_seen():
    first = xr.Dataset({"a": ("x", np.array(["p", "q"], object))})
    assert_same_bits(first, first.copy(deep=True))
    with pytest.raises(AssertionError, match="variables"):
        assert_same_bits(first, first.rename(a="b"))
    with pytest.raises(AssertionError):
        assert_same_bits(first, xr.Dataset({"a": ("x", np.array(["p", "r"], object))}))


def test_an_operation_that_depends_on_chunks_is_seen():
    data = xr.DataArray(np.arange(6.0)).chunk({"dim_0": 3})
    inputs = [data, data.chunk({"dim_0": 2})]
    assert_chunk_invariant(lambda array: array + 1, inputs)
    with pytest.raises(AssertionError):
        assert_chunk_invariant(lambda array: array + len(array.chunks[0]), inputs)
