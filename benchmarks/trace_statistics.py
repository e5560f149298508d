"""Per-trace statistics of 5 M localizations against pandas, same figures, in one run.

Both get the columns in memory and give count, mean and standard deviation of x, y, z, mean, first
and last time of every trace. pandas uses its compiled group-by. Ours is shown twice: the kernel
alone on two threads, and through dask on two, graph and joining of the blocks included.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import dask
import dask.array as da
import numpy as np
import pandas as pd
from common import Watch, arguments, interleaved


def columns_of(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids, positions and times of traces of about ten localizations."""
    rng = np.random.default_rng(0)
    lengths = rng.geometric(0.1, rows // 8)
    tid = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[:rows]
    return tid, 1e-5 + 1e-9 * rng.normal(size=(len(tid), 3)), np.arange(len(tid)) * 1e-3


def with_pandas(tid: np.ndarray, xyz: np.ndarray, tim: np.ndarray) -> pd.DataFrame:
    """Return the statistics by pandas."""
    frame = pd.DataFrame({"x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2], "t": tim})
    groups = frame.groupby(tid, sort=False)
    means, spread, counts = groups.mean(), groups[["x", "y", "z"]].std(), groups.size()
    times = groups["t"].agg(["min", "max"])
    return pd.concat([counts.rename("n"), means, spread.add_prefix("spread_"), times], axis=1)


def main() -> None:
    """Print the ratios at tenfold sizes."""
    from mfxarray.chunked.runs import index_runs
    from mfxarray.chunked.traces import Reduction, trace_columns
    from mfxarray.jobs.warm import warm_kernels
    from mfxarray.kernels.traces.moments import (
        Column,
        join_pieces,
        piece_of,
        run_moments,
        run_starts,
    )

    moments = Reduction(
        lambda columns, starts: (run_moments(*columns, starts),),
        lambda columns, offset: piece_of(*columns, offset),
        lambda pieces: (join_pieces(pieces),),
        ((float, Column.WIDTH),),
    )
    options = arguments(__doc__)
    pool = ThreadPoolExecutor(2)
    warm_kernels()
    for rows in (int(size * options.scale) for size in (50_000, 500_000, 5_000_000)):
        tid, xyz, tim = columns_of(rows)
        # cut at trace bounds, as files are
        wished = np.searchsorted(tid, tid[:: 2**19], side="left")
        block = tuple(np.diff(np.append(np.unique(wished), len(tid))).tolist())
        used = da.ones(len(tid), chunks=(block,), dtype=bool)
        keys = [da.from_array(tid, chunks=(block,))]
        columns = (da.from_array(xyz, chunks=(block, 3)), da.from_array(tim, chunks=(block,)))
        index = index_runs(used, used, keys)

        def counting(used=used, keys=keys) -> object:
            return index_runs(used, used, keys)

        def ours(used=used, keys=keys, columns=columns, index=index) -> np.ndarray:
            return trace_columns(moments, used, keys, columns, index)[-1].compute()

        half = int(np.searchsorted(tid, tid[len(tid) // 2]))
        halves = [slice(0, half), slice(half, None)]

        def kernel(tid=tid, xyz=xyz, tim=tim, halves=halves) -> list[np.ndarray]:
            def one(part: slice) -> np.ndarray:
                return run_moments(xyz[part], tim[part], run_starts(tid[part]))

            return list(pool.map(one, halves))

        def theirs(tid=tid, xyz=xyz, tim=tim) -> pd.DataFrame:
            return with_pandas(tid, xyz, tim)

        with dask.config.set(scheduler="threads", num_workers=2):
            found, wanted = ours(), theirs()
            n = found[:, Column.N]
            spread = np.sqrt(found[:, Column.M2] / np.maximum(n[:, None] - 1, 1))
            several = n > 1
            np.testing.assert_array_equal(n, wanted["n"])
            np.testing.assert_allclose(
                spread[several], wanted.filter(like="spread_")[several], rtol=1e-5
            )
            seconds = interleaved(
                options.repeats,
                pandas=theirs,
                kernel=kernel,
                statistics=ours,
                counting_pass=counting,
            )
            with Watch() as watch:
                ours()
        both = seconds["statistics"] + seconds["counting_pass"]
        quicker = {name: seconds["pandas"] / value for name, value in seconds.items()}
        print(f"{len(tid):9d} rows, {len(found)} traces, {watch.total / 1e6:.0f} MB:", end=" ")
        print(
            f"pandas {seconds['pandas'] * 1e3:.1f} ms; "
            f"kernel {seconds['kernel'] * 1e3:.1f} ms ({quicker['kernel']:.1f}x); "
            f"dask {seconds['statistics'] * 1e3:.1f} ms ({quicker['statistics']:.1f}x), "
            f"with its counting pass {both * 1e3:.1f} ms ({seconds['pandas'] / both:.1f}x)"
        )


if __name__ == "__main__":
    main()
