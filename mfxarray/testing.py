"""Checks that users of mfxarray and its own tests make: nothing computes, chunks change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dask
import dask.local
import numpy as np
import xarray as xr

__all__ = ["assert_chunk_invariant", "assert_same_bits", "count_computes", "raise_if_computes"]


@contextmanager
def raise_if_computes() -> Iterator[None]:
    """Make any computation inside the block an error.

    Raises
    ------
    AssertionError
        By whatever computes.
    """

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was computed where everything must stay lazy")

    with dask.config.set(scheduler=refuse):
        yield


@contextmanager
def count_computes() -> Iterator[list[int]]:
    """Count the computations inside the block; the list holds a 1 for each."""
    made: list[int] = []

    def counted(graph: Any, keys: Any, **options: Any) -> Any:
        made.append(1)
        return dask.local.get_sync(graph, keys, **options)

    with dask.config.set(scheduler=counted):
        yield made


def assert_same_bits(first: xr.Dataset | xr.DataArray, second: xr.Dataset | xr.DataArray) -> None:
    """Raise AssertionError unless both hold the same values bit for bit, NaN included."""
    left, right = (
        data.to_dataset(name="data") if isinstance(data, xr.DataArray) else data
        for data in (first, second)
    )
    if set(left.variables) != set(right.variables):
        raise AssertionError(f"variables {set(left.variables)} and {set(right.variables)}")
    for name in left.variables:
        one, two = np.asarray(left[name].values), np.asarray(right[name].values)
        if one.dtype != two.dtype or one.shape != two.shape:
            raise AssertionError(f"{name}: {one.dtype} {one.shape} and {two.dtype} {two.shape}")
        same = (one == two) if one.dtype == object else _bits(one) == _bits(two)
        if not np.all(same):
            raise AssertionError(f"{name}: {np.size(same) - np.count_nonzero(same)} bytes differ")


def assert_chunk_invariant(
    operation: Callable[[Any], xr.Dataset | xr.DataArray], inputs: Iterable[Any]
) -> None:
    """Raise AssertionError unless an operation gives the same bits for all inputs.

    Parameters
    ----------
    operation
        Takes one of the inputs.
    inputs
        The same data, chunked in different ways.
    """
    first, *others = [operation(data).compute() for data in inputs]
    for other in others:
        assert_same_bits(first, other)


def _bits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
