"""Tests of writing tasks in order."""

from __future__ import annotations

import threading
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback

from mfxarray.stores import tasks
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


def test_what_feeds_one_call_is_part_of_it() -> None:
    array = da.arange(20, chunks=5).map_blocks(np.sqrt)[::2]
    calls: list[Any] = [(len, [key]) for key in block_keys(array).values()]
    assert len(in_order(calls, [array]).dask) == 2 * len(calls) + 2


def test_tasks_between_blocks_and_calls() -> None:
    array = da.arange(20, chunks=5)
    between = {("pair", n): (sum, [(array.name, n), (array.name, n + 1)]) for n in range(3)}
    calls: list[Any] = [(lambda blocks: int(blocks[0].sum()), [key]) for key in between]
    assert in_order(calls, [array], between).compute() == [45, 95, 145]


def test_no_call_runs_far_ahead() -> None:
    """A slow first call lets only a few others begin, and only their blocks be made."""
    made: list[int] = []

    def make(block: np.ndarray) -> np.ndarray:
        made.append(int(block[0]))
        return block

    slow, seen = threading.Event(), []

    def first(blocks: list[Any]) -> None:
        slow.wait(0.5)
        seen.append(len(made))

    array = da.arange(100, chunks=1).map_blocks(make, meta=np.empty(0, int))
    keys = list(block_keys(array).values())
    calls: list[Any] = [(first, keys[:1]), *((len, [key]) for key in keys[1:])]
    with dask.config.set(scheduler="threads", num_workers=3):
        in_order(calls, [array]).compute()
    assert len(made) == 100
    assert 1 <= seen[0] <= 6


@pytest.mark.cluster
def test_threads_of_a_cluster_count() -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 3, "dashboard_address": None}
    with distributed.LocalCluster(processes=False, **options) as cluster, cluster.get_client():
        assert tasks._threads() == 3
    with dask.config.set(scheduler="threads", num_workers=5):
        assert tasks._threads() == 5
