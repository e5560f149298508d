"""The whole NanoSIMS job against openformat 0.3.1's ``process_image_data``, in one run.

Ours cleans, aligns, sums and divides 13C by 12C, with errors; openformat cleans, aligns and sums.
openformat runs in an environment of its own, named by --python or MFXARRAY_OPENFORMAT:
``python -m venv of && of/bin/pip install openformat==0.3.1 psutil``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Watch, alone, folder_of, made, parser_of

DETECTOR, RATIO = "12C 14N", ("13C", "12C")
THEIRS = """
import json, resource, sys, time
import numpy as np
from openformat import mims

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
started = time.perf_counter()
found = mims.process_image_data(sys.argv[1], sys.argv[2])
seconds = time.perf_counter() - started
totals = np.stack([found["total_lookup"][name] for name in found["detector_names"]])
checksum = int(np.asarray(totals, np.int64).ravel() @ np.arange(totals.size) % 2**61)
print(json.dumps({"seconds": seconds, "rss": peak() - before, "checksum": checksum}))
"""


def ours(path: str, preset: str) -> np.ndarray:
    """Return the sums of all detectors; with our own methods also a ratio image, computed."""
    import dask

    import mfxarray as mfx

    found = mfx.mims.process(path, DETECTOR, preset=preset)
    with dask.config.set(scheduler="threads", num_workers=2):
        if preset == "seed":
            return np.asarray(found["total"].values)
        ratio = found["total"].mims.ratio(*RATIO)[["ratio", "error"]]
        total, _ = dask.compute(found["total"], ratio)
    return np.asarray(total.values)


def measure(path: str, preset: str) -> None:
    """Print seconds and memory of one run in this process, after a small one compiled all."""
    import mfxarray as mfx

    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.im"
        mfx.simulate_mims(small, frames=20, detectors=8, size=64)
        ours(str(small), preset)
    with Watch() as watch:
        time.sleep(0.1)
        before = watch.total
        started = time.perf_counter()
        totals = ours(path, preset)
        seconds = time.perf_counter() - started
    checksum = int(np.asarray(totals, np.int64).ravel() @ np.arange(totals.size) % 2**61)
    print(json.dumps({"seconds": seconds, "rss": watch.total - before, "checksum": checksum}))


def plain_read(path: Path) -> float:
    """Return the seconds of reading the file in blocks of 16 MB."""
    started = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while np.fromfile(file, np.uint8, 2**24).size:
            pass
    return time.perf_counter() - started


def theirs(python: str, path: Path) -> dict[str, float]:
    """Return what openformat measured of itself."""
    command = [python, "-c", THEIRS, str(path), DETECTOR]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print both, their ratio, and our share of a plain read."""
    parser = parser_of(__doc__)
    parser.add_argument("--python", default=os.environ.get("MFXARRAY_OPENFORMAT"))
    options = parser.parse_args()
    if not options.python:
        parser.error("name the python of openformat's environment by --python")
    import mfxarray as mfx

    frames = max(int(100 * options.scale), 4)
    runs: dict[str, list[dict[str, float]]] = {"openformat": [], "seed": [], "default": []}
    reads = []
    code = "import against_openformat as a, sys; a.measure(*sys.argv[1:])"
    with folder_of(options) as folder:
        path = made(
            folder / f"field_{frames}.im",
            lambda target: mfx.simulate_mims(target, frames=frames, detectors=8, size=512, seed=3),
        )
        for _ in range(options.repeats):
            reads.append(plain_read(path))
            runs["openformat"].append(theirs(options.python, path))
            for preset in ("seed", "default"):
                runs[preset].append(json.loads(alone(code, path, preset)))
        size = path.stat().st_size
    read = statistics.median(reads)
    slow = statistics.median(run["seconds"] for run in runs["openformat"])
    same = {run["checksum"] for run in runs["openformat"] + runs["seed"]}
    print(
        f"{frames} x 8 x 512 x 512, {size / 1e9:.2f} GB; seed equals openformat: {len(same) == 1}"
    )
    for name, found in runs.items():
        seconds = statistics.median(run["seconds"] for run in found)
        memory = max(run["rss"] for run in found)
        print(
            f"{name:11} {seconds:7.2f} s  {slow / seconds:6.1f}x  {memory / 1e6:7.0f} MB  "
            f"{read / seconds:.2f} of a plain read"
        )


if __name__ == "__main__":
    sys.exit(main())
