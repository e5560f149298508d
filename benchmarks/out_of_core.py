"""8 GB of ion images and 5 GB of localizations on 2 workers x 1 GiB, against threads.

The stack is cleaned, aligned, summed and written; the localizations go through filter, compact,
traces, Zarr and Parquet. Every worker must live to the end, and both ways must give the same bits.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
from common import Watch, alone, arguments, folder_of, made


def ion_job(path: Path, out: Path) -> dict[str, str]:
    """Run the NanoSIMS job and return hashes of what it gave."""
    import mfxarray as mfx

    clean = mfx.open_mims(path).mims.remove_hot_pixels()
    shifts = clean.mims.infer_translations("12C 14N").compute()
    aligned = clean.mims.apply_translations(shifts)
    aligned.mims.to_zarr(out / "aligned.zarr", overwrite=True)
    image = mfx.open_zarr_array(out / "aligned.zarr").sum("frame")
    return {"shifts": _hash(shifts.values), "image": _hash(image.values)}


def localization_job(path: Path, out: Path) -> dict[str, str]:
    """Run the MINFLUX job and return hashes of what it gave."""
    import mfxarray as mfx

    good = mfx.open_minflux(path).mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8)).mfx.compact()
    traces = good.mfx.traces()
    good.mfx.to_zarr(out / "run.zarr", overwrite=True)
    traces.mfx.to_parquet(out / "traces.parquet", overwrite=True)
    table = mfx.open_parquet(out / "traces.parquet").compute()
    last = mfx.open_zarr(out / "run.zarr")["position"][:, -1].values
    found = {str(name): _hash(table[name].values) for name in table.data_vars}
    return {**found, "position": _hash(last)}


def run(kind: str, where: str, path: str, out: str) -> None:
    """Print time, memory, worker restarts and hashes of one job in this process."""
    from mfxarray.jobs.clients import client

    job = ion_job if kind == "ions" else localization_job
    with Watch() as watch, client(where, workers=2, memory_limit="1GiB") as cluster:
        before = _pids(cluster)
        started = time.perf_counter()
        hashes = job(Path(path), Path(out))
        seconds = time.perf_counter() - started
        restarts = len(set(before) - set(_pids(cluster)))
    print(
        json.dumps(
            {
                "seconds": seconds,
                "total": watch.total,
                "largest": watch.largest,
                "restarts": restarts,
                "hashes": hashes,
            }
        )
    )


def main() -> None:
    """Make the files, run both jobs both ways, print the figures."""
    options = arguments(__doc__)
    import mfxarray as mfx

    frames, rows = int(960 * options.scale), int(4_900_000 * options.scale)
    with folder_of(options) as folder:
        files = {
            "ions": made(
                folder / f"stack_{frames}x512.im",
                lambda path: mfx.simulate_mims(path, frames=frames, detectors=8, size=512, seed=3),
            ),
            "localizations": made(
                folder / f"run_{rows}.npy",
                lambda path: mfx.simulate_minflux(path, localizations=rows, dimensions=2, seed=1),
            ),
        }
        out = folder / "out"
        for kind, path in files.items():
            found = {}
            for where in ("threads", "local"):
                out.mkdir(exist_ok=True)
                # workers start anew from this text, so it must be guarded
                code = "import sys, out_of_core\n"
                code += "if __name__ == '__main__': out_of_core.run(*sys.argv[1:])"
                found[where] = json.loads(alone(code, kind, where, path, out).splitlines()[-1])
                shutil.rmtree(out)
                print(_line(kind, where, path, found[where]), flush=True)
            same = found["threads"]["hashes"] == found["local"]["hashes"]
            print(f"{kind}: the same bits on threads and on the cluster: {same}", flush=True)


def _line(kind: str, where: str, path: Path, found: dict[str, float]) -> str:
    return (
        f"{kind:13} {where:8} {path.stat().st_size / 1e9:5.2f} GB  {found['seconds']:6.1f} s  "
        f"largest process {found['largest'] / 1e6:5.0f} MB, all {found['total'] / 1e6:5.0f} MB, "
        f"workers restarted {found['restarts']:.0f}"
    )


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def _pids(cluster: object) -> list[int]:
    if cluster is None or not hasattr(cluster, "run"):
        return []
    import os

    return list(cluster.run(os.getpid).values())


if __name__ == "__main__":
    main()
