"""Where a job runs: threads of this process, or a small cluster of processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mfxarray.errors import PlanError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["KINDS", "client"]

KINDS = ("threads", "local")


@contextmanager
def client(
    kind: str, *, workers: int | None = 2, memory_limit: str = "1GiB"
) -> Iterator[Client | None]:
    """Give the place where dask computes inside the ``with`` block.

    Parameters
    ----------
    kind
        "threads": dask's threaded scheduler in this process. "local": a ``LocalCluster`` of
        processes with one thread each, on the loopback address, without a dashboard.
    workers
        Threads or processes; None for as many threads as there are cores (2 processes).
    memory_limit
        Memory of each process of "local"; threads share that of this process and have no limit.

    Yields
    ------
    distributed.Client or None
        None for "threads".

    Raises
    ------
    ValueError
        If ``kind`` or ``workers`` is not possible.
    PlanError
        If a worker died again and again, which happens when a task needs more than its memory.

    Notes
    -----
    A worker holds about 240 MiB before any data. In a script of your own, "local" needs the guard
    ``if __name__ == "__main__":``.
    """
    if kind not in KINDS:
        raise ValueError(f"the cluster must be one of {', '.join(KINDS)}, not {kind!r}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    if kind == "threads":
        with _threads(workers):
            yield None
    else:
        with _local(workers or 2, memory_limit) as found:
            yield found


@contextmanager
def _threads(workers: int | None) -> Iterator[None]:
    import dask

    with dask.config.set(scheduler="threads", num_workers=workers):
        yield


@contextmanager
def _local(workers: int, memory_limit: str) -> Iterator[Client]:
    from dask.utils import parse_bytes
    from distributed import Client, KilledWorker, LocalCluster

    from mfxarray.jobs.warm import warm_kernels

    parse_bytes(memory_limit)  # a ValueError here, not in every worker
    warm_kernels()
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory_limit,
            host="127.0.0.1",
            dashboard_address=None,
            env={"NUMBA_NUM_THREADS": "1"},
        ) as cluster,
        Client(cluster) as found,
    ):
        try:
            yield found
        except KilledWorker as error:
            raise PlanError(
                f"a worker with {memory_limit} died again and again, most likely for want of "
                "memory; give workers more of it, or smaller chunks "
                "(mfxarray.set_options(chunk_bytes=...))"
            ) from error
