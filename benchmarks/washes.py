"""Three washes of npy files with beads to one registered Zarr store, at 3.4, 10 and 24 M rows.

Filter, traces, registration and Zarr run in fresh processes: on threads, and on a
LocalCluster of two processes limited to 1 GiB. For every step the largest memory of any process is
shown, in all and without pages of files, and what the stores hold must be the same both ways.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from common import alone, folder_of, parser_of

ROWS = (3_400_000, 10_000_000, 24_000_000)
WASHES, PER_TRACE, BLOCK = 3, 20, 100_000
STEPS = ("filter", "traces", "register", "together")


class Peaks:
    """The largest memory of any process in the current step, sampled."""

    def __enter__(self) -> Peaks:
        self._done, self.step = threading.Event(), "start"
        self.found: dict[str, dict[str, dict[str, int]]] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.02):
            for process in (me, *me.children(recursive=True)):
                try:
                    memory = process.memory_info()
                except psutil.Error:
                    continue
                kind = "main" if process.pid == me.pid else "worker"
                own = self.found.setdefault(self.step, {}).setdefault(kind, {})
                private = memory.rss - memory.shared
                own["rss"] = max(own.get("rss", 0), memory.rss)
                own["anonymous"] = max(own.get("anonymous", 0), private)


def write_washes(folder: str, rows: str) -> None:
    """Write washes of that many localizations together, as npy files, and their beads."""
    from mfxarray.formats.npy.fields import record_dtype
    from mfxarray.simulate.minflux_washes import simulate_bead_washes, write_bead_washes
    from mfxarray.writers.npy import write_records

    traces = int(rows) // (WASHES * PER_TRACE)
    settings = {"washes": WASHES, "seed": 5, "duration_s": 20_000.0}
    washes = simulate_bead_washes(traces=traces, localizations=PER_TRACE, **settings)
    dtype = record_dtype(1)
    for number, wash in enumerate(washes):
        path = Path(folder, f"wash{number}.npy")
        write_records(path, records(wash, dtype), dtype, len(wash.tim))
    # the beads are drawn before the traces, so these are the same
    Path(folder, "beads").mkdir()
    write_bead_washes(Path(folder, "beads"), traces=1, localizations=1, **settings)


def records(wash: object, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Give nested records of one iteration whose efo and cfr differ from row to row."""
    rng = np.random.default_rng(0)
    for start in range(0, len(wash.tim), BLOCK):
        part = slice(start, start + BLOCK)
        rows = np.zeros(len(wash.tim[part]), dtype)
        itr = rows["itr"][:, 0]
        itr["loc"] = itr["lnc"] = wash.position[part]
        itr["eco"] = rng.poisson(100, len(rows))
        itr["efo"], itr["cfr"] = rng.normal(30e3, 9e3, len(rows)), rng.normal(0.4, 0.2, len(rows))
        rows["tim"], rows["tid"], rows["vld"] = wash.tim[part], wash.tid[part], True
        yield rows


def job(folder: Path, out: Path, begin: partial) -> None:
    """Take the washes through all steps; tell ``begin`` before each."""
    import mfxarray as mfx
    from mfxarray.minflux.beads.registration import register

    begin("filter")
    paths = [folder / f"wash{number}.npy" for number in range(WASHES)]
    washes = [mfx.open_minflux(path).mfx.last_iteration() for path in paths]
    good = [ds.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8)) for ds in washes]
    begin("traces")
    for number, ds in enumerate(good):
        ds.mfx.traces().mfx.to_zarr(out / f"traces{number}.zarr")
    trees = [folder / "beads" / f"wash{number}.zarr" for number in range(WASHES)]
    opened = [next(iter(mfx.open_minflux_tree(tree).values())) for tree in trees]
    beads = [tree["beads"].to_dataset(inherit=False) for tree in opened]
    begin("register")
    register(good, beads).mfx.to_zarr(out / "washes.zarr")
    begin("together")
    mfx.open_zarr(out / "washes.zarr").mfx.traces().mfx.to_zarr(out / "traces.zarr")


def run(where: str, folder: str, out: str) -> None:
    """Print seconds, peaks, worker restarts and hashes of the job in this process."""
    import mfxarray as mfx
    from mfxarray.jobs.clients import client
    from mfxarray.jobs.warm import warm_kernels

    warm_kernels()
    started: dict[str, float] = {}
    with Peaks() as peaks, client(where, workers=2, memory_limit="1GiB") as cluster:
        before = _pids(cluster)

        def begin(step: str) -> None:
            peaks.step = step
            started[step] = time.perf_counter()

        job(Path(folder), Path(out), begin)
        started["end"] = time.perf_counter()
        restarts = len(set(before) - set(_pids(cluster)))
    marks = list(started.values())
    seconds = {step: b - a for step, a, b in zip(STEPS, marks, marks[1:], strict=False)}
    stores = sorted(Path(out).iterdir())
    hashes = {store.name: _hash(store) for store in stores}
    told = {"rows": mfx.open_zarr(Path(out, "washes.zarr")).sizes["localization"]}
    told |= {"bytes": sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())}
    told |= {"seconds": seconds, "peaks": peaks.found, "restarts": restarts, "hashes": hashes}
    print(json.dumps(told))


def _hash(store: Path) -> str:
    """Return the hash of all shards of a store, by name."""
    found = hashlib.sha256()
    for path in sorted(store.rglob("c/*")):
        if path.is_file():
            found.update(str(path.relative_to(store)).encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _pids(cluster: object) -> list[int]:
    if cluster is None or not hasattr(cluster, "run"):
        return []
    import os

    return list(cluster.run(os.getpid).values())


def main() -> None:
    """Make the files, run the job both ways at all sizes, print the figures."""
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    parser.add_argument("--where", nargs="*", default=["threads", "local"])
    options = parser.parse_args()
    with folder_of(options) as folder:
        for rows in (int(count * options.scale) for count in options.rows):
            files = folder / f"washes_{rows}"
            if not files.exists():
                files.mkdir()
                print(alone("import sys, washes; washes.write_washes(*sys.argv[1:])", files, rows))
            found = {where: measured(where, files, folder / "out") for where in options.where}
            same = len({json.dumps(one["hashes"]) for one in found.values()}) == 1
            print(f"{rows} rows: the same bits every way: {same}", flush=True)


def measured(where: str, files: Path, out: Path) -> dict:
    """Return what a fresh process tells of the job, and print it."""
    out.mkdir()
    # workers start anew from this text, so it must be guarded
    code = "import sys, washes\nif __name__ == '__main__': washes.run(*sys.argv[1:])"
    found = json.loads(alone(code, where, files, out).splitlines()[-1])
    shutil.rmtree(out)
    size = sum(path.stat().st_size for path in files.glob("*.npy"))
    print(
        f"{where}: {size / 1e9:.2f} GB, {found['rows']} rows, {found['bytes'] / 1e9:.2f} GB "
        f"written, {sum(found['seconds'].values()):.0f} s, restarts {found['restarts']}"
    )
    for step, seconds in found["seconds"].items():
        peaks = "; ".join(
            f"{kind} {own['rss'] / 1e6:.0f} MB ({own['anonymous'] / 1e6:.0f} without files)"
            for kind, own in found["peaks"][step].items()
        )
        print(f"  {step:9} {seconds:6.1f} s  {peaks}", flush=True)
    print("  " + json.dumps(found["hashes"]), flush=True)
    return found


if __name__ == "__main__":
    main()
