"""DBSCAN in memory against scikit-learn on two threads, growth to 10 M, 100 M out of core.

Points are traces of ten localizations with 3 nm spread at constant density. Labels must be equal.
Seconds of processors are shown too: they tell the same on a machine that is busy. With
``--hundred-million`` points of 100 M localizations in 3D are made block by block and clustered by
two workers of one thread each; the largest resident memory of a worker is shown.
"""

from __future__ import annotations

import time
from functools import partial

import dask
import dask.array as da
import numpy as np
import psutil
from common import Watch, parser_of

EPS, MIN_SAMPLES, BLOCK = 15e-9, 5, 500_000


def block_of(rows: int, total: int, axes: int, block: int) -> np.ndarray:
    """Return some of ``total`` localizations, in metres."""
    rng = np.random.default_rng((block, axes))
    field = 20e-6 * (total / 1e6) ** (1 / axes)
    homes = rng.random((rows // 10, axes)) * field
    return np.repeat(homes, 10, axis=0) + rng.normal(scale=3e-9, size=(rows, axes))


def lazily(total: int, axes: int) -> tuple[da.Array, da.Array]:
    """Return which rows are used and positions, made when they are needed."""
    chunks = tuple(min(BLOCK, total - start) for start in range(0, total, BLOCK))

    def make(used: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        number = block_info[0]["chunk-location"][0] if block_info else 0
        return block_of(len(used), total, axes, number)

    used = da.ones(total, chunks=(chunks,), dtype=bool)
    positions = da.map_blocks(make, used, chunks=(chunks, (axes,)), new_axis=[1], dtype=float)
    return used, positions


def timed(run: object) -> tuple[object, float, float]:
    """Return the result, seconds, and seconds of processors."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def in_memory(total: int, axes: int, repeats: int, with_theirs: bool) -> None:
    """Print the figures of one size."""
    from sklearn.cluster import DBSCAN

    from mfxarray.chunked.dbscan import dbscan

    points = lazily(total, axes)[1].compute()
    chunk = min(BLOCK, max(total // 4, 1))
    used = da.ones(total, chunks=chunk, dtype=bool)
    position = da.from_array(points, (chunk, axes))

    def ours() -> np.ndarray:
        with dask.config.set(scheduler="threads", num_workers=2):
            return dbscan(used, position, eps=EPS, min_samples=MIN_SAMPLES).compute()

    theirs = partial(DBSCAN(eps=EPS, min_samples=MIN_SAMPLES, n_jobs=2).fit, points)
    ours()
    before = psutil.Process().memory_info().rss
    with Watch() as watch:
        ours()
    extra = watch.total - before
    mine, other = [], []
    for _ in range(repeats):
        labels, *seconds = timed(ours)
        mine.append(seconds)
        if with_theirs:
            found, *seconds = timed(theirs)
            other.append(seconds)
            np.testing.assert_array_equal(labels, found.labels_)
    wall, cpu = np.min(mine, axis=0)
    text = f"{total:9d} points, {axes}D: ours {wall:.3f} s ({cpu:.3f} s CPU)"
    if with_theirs:
        their_wall, their_cpu = np.min(other, axis=0)
        text += (
            f"; scikit-learn {their_wall:.2f} s ({their_cpu:.2f} s CPU): {their_wall / wall:.1f}x"
        )
        text += f" ({their_cpu / cpu:.1f}x of CPU), labels equal"
    print(f"{text}; {extra / 1e6:.0f} MB beyond {points.nbytes / 1e6:.0f} MB of points", flush=True)


def out_of_core(total: int) -> None:
    """Print the figures of a cluster of two workers."""
    from distributed import Client, LocalCluster

    from mfxarray.chunked.dbscan import dbscan

    settings = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GiB"}
    with LocalCluster(**settings, dashboard_address=None) as cluster, Client(cluster):
        used, position = lazily(total, 3)
        labels = dbscan(used, position, eps=EPS, min_samples=MIN_SAMPLES)
        started = time.perf_counter()
        with Watch() as watch:
            most, noise = dask.compute(labels.max(), (labels < 0).sum())
        seconds = time.perf_counter() - started
    print(
        f"{total} points in 3D out of core: {seconds:.0f} s, largest process "
        f"{watch.largest / 2**20:.0f} MiB; {most + 1} clusters, {noise} points of noise",
        flush=True,
    )


def main() -> None:
    """Print ratios, growth, and, if wanted, the large run."""
    parser = parser_of(__doc__)
    parser.add_argument("--hundred-million", action="store_true")
    options = parser.parse_args()
    if options.hundred_million:
        out_of_core(int(100_000_000 * options.scale))
        return
    for axes in (2, 3):
        for total, with_theirs in ((100_000, True), (1_000_000, True), (10_000_000, False)):
            in_memory(int(total * options.scale), axes, options.repeats, with_theirs)


if __name__ == "__main__":
    main()
