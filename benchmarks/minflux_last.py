"""The last positions of a nested ``.npy`` file beside reading it with np.fromfile in blocks."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import dask
import numpy as np

import mfxarray as mfx

_BLOCK_BYTES = 16 * 2**20


def measure(path: str, repeats: str) -> None:
    """Print a row for each way and number of threads; all take turns in this process.

    Seconds, of the clock and of the processors, are the least of the repeats: on a machine that
    others use as well, medians say more about the others.
    """
    ds = mfx.open_minflux(path)
    labelled, sliced = ds.mfx.last_iteration()["position"], ds["position"].isel(iteration=-1).data
    last = labelled.data
    extent = [last.mean(0), last.min(0), last.max(0)]
    runs: dict[str, Callable[[], object]] = {}
    for threads in (1, 2):
        runs[f"np.fromfile, {threads}"] = partial(_read, path, threads)
        runs[f"last_iteration, {threads}"] = partial(_computed, [last], threads)
        runs[f"its mean, min, max, {threads}"] = partial(_computed, extent, threads)
        runs[f"with tid and tim, {threads}"] = partial(_computed, [labelled], threads)
        runs[f"isel(iteration=-1), {threads}"] = partial(_computed, [sliced], threads)
    _seconds(1, runs)  # brings the file into the page cache
    seconds = _seconds(int(repeats), runs)
    size = os.path.getsize(path)
    rows = []
    for name, taken in seconds.items():
        how, _, threads = name.rpartition(", ")
        plain = seconds[f"np.fromfile, {threads}"]
        row = {"how": how, "threads": int(threads), "seconds": taken[0], "CPU s": taken[1]}
        row |= {"GB/s": size / taken[0] / 1e9, "share of np.fromfile": plain[0] / taken[0]}
        rows.append(row | {"share by CPU": plain[1] / taken[1]})
    print(json.dumps(rows))


def _seconds(repeats: int, runs: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    best = dict.fromkeys(runs, (math.inf, math.inf))
    for _ in range(repeats):
        for name, run in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            taken = (time.perf_counter() - started, time.process_time() - used)
            best[name] = (min(best[name][0], taken[0]), min(best[name][1], taken[1]))
    return best


def _read(path: str, threads: int) -> int:
    starts = range(0, os.path.getsize(path), _BLOCK_BYTES)

    def block(start: int) -> int:
        return int(np.fromfile(path, np.uint8, _BLOCK_BYTES, offset=start).size)

    if threads == 1:
        return sum(map(block, starts))
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(block, starts))


def _computed(arrays: list[Any], threads: int) -> object:
    if threads == 1:
        setting = dask.config.set(scheduler="synchronous")
    else:
        setting = dask.config.set(scheduler="threads", num_workers=threads)
    with setting:
        return dask.compute(*arrays)
