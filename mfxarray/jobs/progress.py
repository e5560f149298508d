"""A progress bar on stderr, only where somebody can see it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["progress"]

_WIDTH = 30
_POLL_S = 0.5
_UNFINISHED = ("waiting", "no-worker", "queued", "processing")


@contextmanager
def progress(
    label: str, client: Client | None = None, *, stream: TextIO | None = None
) -> Iterator[None]:
    """Show how far dask is inside the ``with`` block, if the stream is a terminal.

    Parameters
    ----------
    label
        What is being done, a few words.
    client
        The cluster that computes; None for threads.
    stream
        Where to show it; stderr if not given.
    """
    out = sys.stderr if stream is None else stream
    if not out.isatty():
        yield
        return
    print(label, file=out, flush=True)
    with _cluster_bar(client, out) if client is not None else _thread_bar(out):
        yield


@contextmanager
def _thread_bar(out: TextIO) -> Iterator[None]:
    from dask.diagnostics.progress import ProgressBar

    with ProgressBar(minimum=1.0, width=_WIDTH, out=out):
        yield


@contextmanager
def _cluster_bar(client: Client, out: TextIO) -> Iterator[None]:
    """Ask the scheduler twice a second how many tasks are left."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(client, out, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        out.write("\r" + " " * (_WIDTH + 40) + "\r")
        out.flush()


def _watch(client: Client, out: TextIO, stop: threading.Event) -> None:
    most = 0
    while not stop.wait(_POLL_S):
        # a cluster that is closing, or a terminal that is gone, is no reason to fail the job
        with suppress(OSError, RuntimeError, ValueError):
            left = int(client.run_on_scheduler(_tasks_left))
            most = max(most, left) if left else 0
            out.write("\r" + bar(most - left, most, left))
            out.flush()


def bar(done: int, total: int, left: int) -> str:
    """Return one line: a bar, a percentage, and the tasks that are left."""
    share = done / total if total else 1.0
    filled = int(share * _WIDTH)
    return f"[{'#' * filled:<{_WIDTH}}] {share:4.0%}  {left} tasks left      "


def _tasks_left(dask_scheduler: Any) -> int:
    return sum(task.state in _UNFINISHED for task in dask_scheduler.tasks.values())
