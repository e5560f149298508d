"""Tests of writing tasks in order."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback

from mfxarray.stores.tasks import block_keys, in_order


def test_keys_of_blocks() -> None:
    array = da.zeros((4, 6), chunks=(2, 3))
    assert list(block_keys(array)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert block_keys(da.zeros(()))[()] == (da.zeros(()).name,)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_results_keep_their_order(scheduler: str) -> None:
    array = da.arange(20, chunks=5)
    calls = [(lambda blocks: int(blocks[0].sum()), [key]) for key in block_keys(array).values()]
    with dask.config.set(scheduler=scheduler):
        assert in_order(calls, [array]).compute() == [10, 35, 60, 85]
    assert in_order([], []).compute() == []


def most_alive(count: int) -> int:
    """Return how many arrays wait at once while shards that cut across blocks are written."""
    source = da.ones((count * 70, 2), chunks=(30, 2)).map_blocks(np.sqrt, meta=np.empty((0, 0)))
    arrays = [da.rechunk(source[:, i] + i, 70, method="tasks") for i in range(2)]
    keys = [list(block_keys(array).values()) for array in arrays]
    calls: list[Any] = [(len, list(pair)) for pair in zip(*keys, strict=True)]
    found = [0]

    def count_alive(key: Any, result: Any, dsk: Any, state: dict[str, Any], worker: Any) -> None:
        alive = sum(isinstance(value, np.ndarray) for value in state["cache"].values())
        found[0] = max(found[0], alive)

    with dask.config.set(scheduler="synchronous"), Callback(posttask=count_alive):
        assert in_order(calls, arrays).compute() == [2] * count
    return found[0]


def test_memory_does_not_grow_with_the_table() -> None:
    assert most_alive(200) <= most_alive(20) + 4
