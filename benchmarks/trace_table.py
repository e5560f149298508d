"""The trace table of 10 M localizations in 500 k traces against pandas, same figures, in one run.

Both get the columns in memory. First what pandas computes with its compiled group-by: count, mean
and standard deviation of x, y, z, mean, first and last time, sum of photons. Then the medians of
efo, cfr, dcr and fbg. Ours is shown five times: the compiled kernel on two threads, the table
through dask without its counting pass, as after ``compact``, and with it, and both with the
medians. Behind each the seconds of both cores together, which tell more where others use the
machine too. Last, the seed's mean time of each trace: a loop over the ids, at 520 k localizations.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pandas as pd
import xarray as xr
from common import Watch, arguments

POOL = ThreadPoolExecutor(2)
MEDIANS = ("efo", "cfr", "dcr", "fbg")


def best_of(
    repeats: int, runs: dict[str, Callable[[], object]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the least seconds by the clock, and of the cores, of runs that take turns."""
    clock, cores = dict.fromkeys(runs, np.inf), dict.fromkeys(runs, np.inf)
    for _ in range(repeats):
        for name, run in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            cores[name] = min(cores[name], time.process_time() - used)
            clock[name] = min(clock[name], time.perf_counter() - started)
    return clock, cores


def data_of(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return columns of traces of twenty localizations on average."""
    rng = np.random.default_rng(seed)
    n_traces = max(rows // 20, 1)
    lengths = np.diff(np.sort(np.concatenate([[0, rows], rng.integers(1, rows, n_traces - 1)])))
    found = {
        "tid": np.repeat(np.arange(n_traces, dtype=np.int32) * 7, lengths),
        "position": 1e-5 + 1e-9 * rng.normal(size=(rows, 3)),
        "tim": np.arange(rows) * 1e-3,
        "eco": rng.poisson(150, rows).astype(np.int32),
    }
    return found | {name: rng.normal(size=rows) for name in MEDIANS}


def dataset_of(columns: dict[str, np.ndarray]) -> xr.Dataset:
    """Return the columns as a Dataset whose chunks are cut where the traces are, as files are."""
    tid = columns["tid"]
    cuts = np.unique(np.searchsorted(tid, tid[:: 2**19], side="left"))
    rows = tuple(np.diff(np.append(cuts, len(tid))).tolist())
    variables = {
        name: (("localization", "axis")[: values.ndim], values) for name, values in columns.items()
    }
    return xr.Dataset(variables).set_coords(["tid", "tim"]).chunk(localization=rows)


def moments_by_pandas(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return counts, means, spreads, times and photons by pandas."""
    xyz = columns["position"]
    frame = pd.DataFrame(
        {"x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2], "t": columns["tim"], "p": columns["eco"]}
    )
    groups = frame.groupby(columns["tid"], sort=False)
    means, spread = groups[list("xyzt")].mean(), groups[["x", "y", "z"]].std()
    times, photons = groups["t"].agg(["min", "max"]), groups["p"].sum()
    parts = [groups.size().rename("n"), means, spread.add_prefix("spread_"), times, photons]
    return pd.concat(parts, axis=1)


def medians_by_pandas(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return medians by pandas."""
    frame = pd.DataFrame({name: columns[name] for name in MEDIANS})
    return frame.groupby(columns["tid"], sort=False).median()


def mean_times_by_loop(tid: np.ndarray, tim: np.ndarray) -> np.ndarray:
    """Return the mean time of each trace as the seed finds it: one look at all ids a trace."""
    return np.array([tim[tid == name].mean() for name in np.unique(tid)])


def check(table: xr.Dataset, wanted: pd.DataFrame, medians: pd.DataFrame) -> None:
    """Fail unless both tables hold the same figures."""
    np.testing.assert_array_equal(table["tid"], wanted.index)
    np.testing.assert_array_equal(table["n"], wanted["n"])
    np.testing.assert_array_equal(table["photons"], wanted["p"])
    np.testing.assert_allclose(table["centroid"], wanted[["x", "y", "z"]], rtol=1e-12)
    np.testing.assert_allclose(table["mean_time"], wanted["t"], rtol=1e-12)
    np.testing.assert_allclose(table["spread"], wanted.filter(like="spread_"), rtol=1e-6)
    np.testing.assert_array_equal(table["start"], wanted["min"])
    np.testing.assert_array_equal(table["end"], wanted["max"])
    for name in MEDIANS:
        np.testing.assert_array_equal(table[f"{name}_median"], medians[name])


def against_pandas(rows: int, repeats: int) -> None:
    """Print the ratios to pandas."""
    from mfxarray.kernels.traces.moments import run_moments, run_starts
    from mfxarray.minflux import rows as known
    from mfxarray.minflux.traces.table import traces

    columns = data_of(rows)
    ds = dataset_of(columns)

    def ours(medians: tuple[str, ...], count: bool = True) -> xr.Dataset:
        if count:
            known._known.clear()
        return traces(ds, medians=medians).compute()

    table = ours(MEDIANS)
    wanted, medians = moments_by_pandas(columns), medians_by_pandas(columns)
    check(table, wanted, medians)
    tid, middle = columns["tid"], int(np.searchsorted(columns["tid"], columns["tid"][rows // 2]))

    def kernel() -> list[np.ndarray]:
        return list(POOL.map(one, (slice(0, middle), slice(middle, None))))

    def one(part: slice) -> np.ndarray:
        return run_moments(columns["position"][part], columns["tim"][part], run_starts(tid[part]))

    clock, cores = best_of(
        repeats,
        {
            "kernel": kernel,
            "pandas": lambda: moments_by_pandas(columns),
            "pandas medians": lambda: medians_by_pandas(columns),
            "counting and table": lambda: ours(()),
            "table": lambda: ours((), count=False),
            "counting and table with medians": lambda: ours(MEDIANS),
            "table with medians": lambda: ours(MEDIANS, count=False),
        },
    )
    with Watch() as watch:
        ours(MEDIANS)
    print(f"{rows:9d} rows, {table.sizes['trace']} traces, {watch.total / 1e6:.0f} MB", flush=True)
    for name in clock:
        theirs = clock["pandas"] + (clock["pandas medians"] if name.endswith("medians") else 0)
        print(
            f"    {name:32s} {clock[name] * 1e3:6.0f} ms, cores {cores[name] * 1e3:6.0f} ms"
            + ("" if name.startswith("pandas") else f", pandas / this {theirs / clock[name]:.1f}"),
            flush=True,
        )


def against_loop(rows: int) -> None:
    """Print the ratio to the loop over ids."""
    from mfxarray.minflux import rows as known
    from mfxarray.minflux.traces.table import traces

    columns = data_of(rows, seed=1)
    ds = dataset_of(columns)

    def ours() -> xr.DataArray:
        known._known.clear()
        return traces(ds, medians=(), photons=None)["mean_time"].compute()

    def loop() -> np.ndarray:
        return mean_times_by_loop(columns["tid"], columns["tim"])

    np.testing.assert_allclose(ours(), loop(), rtol=1e-12)
    seconds, _ = best_of(3, {"ours": ours, "loop": loop})
    print(
        f"{rows:9d} rows: mean times {seconds['ours'] * 1e3:.0f} ms, a loop over the ids "
        f"{seconds['loop']:.1f} s ({seconds['loop'] / seconds['ours']:.0f}x)"
    )


def main() -> None:
    """Print the ratios at tenfold sizes, and that to the loop."""
    from mfxarray.jobs.warm import warm_kernels

    options = arguments(__doc__)
    warm_kernels()
    with dask.config.set(scheduler="threads", num_workers=2):
        for size in (100_000, 1_000_000, 10_000_000):
            against_pandas(int(size * options.scale), options.repeats)
        against_loop(int(520_000 * options.scale))


if __name__ == "__main__":
    main()
