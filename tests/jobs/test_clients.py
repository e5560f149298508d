"""Where a job runs."""

from __future__ import annotations

import io
import os
import time

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.errors import PlanError
from mfxarray.jobs.clients import client
from mfxarray.jobs.progress import bar, progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_that_threads_set_the_scheduler_and_put_it_back():
    before = dask.config.get("num_workers", None)
    with client("threads", workers=3) as at:
        assert at is None
        assert dask.config.get("scheduler") == "threads"
        assert dask.config.get("num_workers") == 3
    assert dask.config.get("num_workers", None) == before


def test_that_threads_use_no_more_than_asked_for():
    import threading

    running, most, lock = 0, 0, threading.Lock()

    def work(block: np.ndarray) -> np.ndarray:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return block

    ones = da.ones(12, chunks=1).map_blocks(work, dtype=float, meta=np.empty(0))
    with client("threads", workers=2):
        ones.compute()
    assert most == 2


@pytest.mark.parametrize("kind", ["", "Threads", "slurm"])
def test_that_an_unknown_kind_is_refused(kind: str):
    with pytest.raises(ValueError, match="threads, local"), client(kind):
        pass


@pytest.mark.parametrize("workers", [0, -1])
def test_that_a_job_needs_a_worker(workers: int):
    with pytest.raises(ValueError, match="at least 1"), client("threads", workers=workers):
        pass


def test_that_a_memory_limit_is_checked_before_workers_start():
    with pytest.raises(ValueError, match="lots"), client("local", memory_limit="lots"):
        pass


def test_that_nothing_is_shown_where_nobody_looks():
    out = io.StringIO()
    with progress("counting", stream=out):
        da.ones(10, chunks=1).sum().compute()
    assert out.getvalue() == ""


def test_that_threads_show_a_bar_on_a_terminal():
    out = _Terminal()

    def slow(block: np.ndarray) -> np.ndarray:
        time.sleep(0.3)
        return block

    ones = da.ones(6, chunks=1).map_blocks(slow, dtype=float, meta=np.empty(0))
    with client("threads", workers=1), progress("counting", stream=out):
        ones.compute()
    assert out.getvalue().startswith("counting\n")
    assert "100%" in out.getvalue()


@pytest.mark.parametrize(
    ("done", "total", "left", "share", "marks"),
    [(0, 0, 0, "100%", 30), (0, 4, 4, "0%", 0), (1, 4, 3, "25%", 7), (4, 4, 0, "100%", 30)],
)
def test_a_line_of_the_bar(done: int, total: int, left: int, share: str, marks: int):
    line = bar(done, total, left)
    assert share in line
    assert line.count("#") == marks
    assert f"{left} tasks left" in line


def _nap(block: np.ndarray) -> np.ndarray:
    time.sleep(0.25)
    return block


def _die(block: np.ndarray) -> np.ndarray:
    os._exit(1)


def _environment(block: np.ndarray) -> np.ndarray:
    return np.array([int(os.environ["NUMBA_NUM_THREADS"]), os.getpid()])


@pytest.mark.cluster
def test_a_local_cluster():
    out = _Terminal()
    with client("local", workers=2, memory_limit="1GiB") as at:
        assert at is not None
        facts = at.scheduler_info()["workers"].values()
        assert [fact["nthreads"] for fact in facts] == [1, 1]
        assert {fact["memory_limit"] for fact in facts} == {2**30}
        assert all(fact["host"] == "127.0.0.1" for fact in facts)
        ones = da.ones(8, chunks=1)
        found = ones.map_blocks(_environment, dtype=int, chunks=(2,), meta=np.empty(0, int))
        threads, pids = found.compute().reshape(-1, 2).T
        assert set(threads) == {1}
        assert os.getpid() not in pids
        with progress("napping", at, stream=out):
            assert ones.map_blocks(_nap, meta=np.empty(0)).sum().compute() == 8
    assert out.getvalue().startswith("napping\n")
    assert "tasks left" in out.getvalue()


@pytest.mark.cluster
def test_that_dying_workers_are_explained():
    with (
        pytest.raises(PlanError, match="memory"),
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        client("local", workers=1, memory_limit="700MB"),
    ):
        da.ones(1, chunks=1).map_blocks(_die, meta=np.empty(0)).compute()
