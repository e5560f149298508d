"""Resolution by Fourier ring correlation beside pyminflux 0.7: seconds, and whether both agree.

Rings of sites in a field of 4 by 4 µm, pixels of 1 nm, one random split by localization. Both get
columns in memory and the same field. Ours has the rings of the seed (``preset="seed"``), as
pyminflux has, and in a further run our own; a last run makes 8 splits. pyminflux is also given the
halves of our split, so that curves can be compared. Its environment is that of
`against_pyminflux.py`. Exit code 1 if the curves differ by more than 2e-4 or ours is not 40 times
as fast.
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
from typing import Any

import numpy as np
import xarray as xr
from common import parser_of
from drift import scene

from mfxarray.kernels.resolution.halves import split_words
from mfxarray.minflux.resolution.correlate import resolution

# not 4000: ring numbers would be halves, which NumPy rounds to even ones
FIELD, PIXEL = 4032, 1e-9
SAME, FASTER = 2e-4, 40


def main() -> None:
    """Print the comparison."""
    parser = parser_of(__doc__.splitlines()[0])
    known = os.environ.get("MFXARRAY_PYMINFLUX", ".venv-pyminflux/bin/python")
    parser.add_argument("--pyminflux", default=known, help="python of its environment")
    options = parser.parse_args()
    ds, _ = scene(int(60_000 * options.scale))
    side = (0.0, FIELD * PIXEL)
    ds["position"].values[:] += 50 * PIXEL
    names = ("mfxarray", "default", "8 splits", "pyminflux")
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    limits = {"limits": (side, side)}
    seed = {**limits, "preset": "seed", "repeats": 1}
    ours = resolution(ds, **seed).compute()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.npz"
        store(ds, path)
        for _ in range(options.repeats):
            runs["mfxarray"].append(run(ds, seed))
            runs["default"].append(run(ds, {**limits, "split": "localization", "repeats": 1}))
            runs["8 splits"].append(run(ds, limits))
            found = theirs(options.pyminflux, path)
            runs["pyminflux"].append((found["seconds"], found["busy"]))
        told = theirs(options.pyminflux, path, "--halves")
    print(f"-- {ds.sizes['localization']} localizations, load {os.getloadavg()[0]:.1f}")
    for name, times in runs.items():
        told_times = ", ".join(f"{wall:.3f} ({busy:.3f})" for wall, busy in times)
        print(f"{name:10} {told_times} s (of the processor)")
    ratio, busier = (
        statistics.median(runs["pyminflux"][k][n] for k in range(options.repeats))
        / statistics.median(runs["mfxarray"][k][n] for k in range(options.repeats))
        for n in (0, 1)
    )
    differ = np.abs(ours["correlation_smoothed"].values[0] - told["curve"]).max()
    same = float(ours["resolution"][0]) * 1e9
    print(
        f"faster {ratio:.1f}x, on one processor {busier:.1f}x; "
        f"largest difference of the curves {differ:.1e}"
    )
    print(
        f"resolution of the same halves {same:.3f} nm, {told['of_halves'] * 1e9:.3f} nm; "
        f"of another split {told['resolution'] * 1e9:.3f} nm"
    )
    sys.exit(differ > SAME or ratio < FASTER)


def run(ds: xr.Dataset, parameters: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds of a run, of the clock and of the processor."""
    started, busy = time.perf_counter(), time.process_time()
    resolution(ds, **parameters).compute()
    return time.perf_counter() - started, time.process_time() - busy


def theirs(python: str, path: Path, *flags: str) -> dict[str, Any]:
    """Return what pyminflux finds."""
    script = Path(__file__).with_name("pyminflux_resolution.py")
    command = [python, str(script), str(path), *flags]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def store(ds: xr.Dataset, path: Path) -> None:
    """Write what pyminflux gets: columns in nm, the field, and our first half."""
    x, y = ds["position"].values[:, :2].T * 1e9
    first = split_words(0, [np.arange(len(x))]) & np.uint64(1) == 1
    field = np.array([0.0, FIELD])
    np.savez(path, x=x, y=y, first=first, rx=field, ry=field)


if __name__ == "__main__":
    main()
