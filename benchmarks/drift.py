"""Drift in 2D beside pyminflux 0.7: seconds, and whether both find the same.

Rings under a known drift in a field of 4 by 4 µm, 11 windows, pixels of 2 nm. Both get columns in
memory and the same windows; ours has the parameters of the paper (``preset="paint21"``) and, in a
further run, our own. pyminflux runs twice, as it is and without three slips (see
`pyminflux_drift.py`); only then can the answers be equal. Its environment is that of
`against_pyminflux.py`. ``--what memory`` shows ours for fields of growing size instead.
Exit code 1 if the answers differ by more than 0.01 nm.
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
from common import alone, parser_of

from mfxarray.minflux.drift import estimate_drift

WINDOW, WINDOWS, PIXEL = 600.0, 11, 2.0
SAME_NM = 0.01


def main() -> None:
    """Print the comparison."""
    parser = parser_of(__doc__.splitlines()[0])
    known = os.environ.get("MFXARRAY_PYMINFLUX", ".venv-pyminflux/bin/python")
    parser.add_argument("--pyminflux", default=known, help="python of its environment")
    parser.add_argument("--what", choices=["speed", "memory"], default="speed")
    options = parser.parse_args()
    if options.what == "memory":
        return memory()
    differ = False
    for n in (60_000, 600_000):
        differ |= compared(int(n * options.scale), options.pyminflux, options.repeats)
    sys.exit(differ)


def scene(n: int, field_nm: float = 3900.0, seed: int = 3) -> tuple[xr.Dataset, Any]:
    """Return about n localizations, 10 a trace, and the function of their drift in nm."""
    rng = np.random.default_rng(seed)
    rings = int(4 * (field_nm / 1000) ** 2)
    angles = rng.uniform(0, 2 * np.pi, (rings, 1)) + np.arange(8) * np.pi / 4
    ring = 55 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    sites = (rng.uniform(0, field_nm, (rings, 1, 2)) + ring).reshape(-1, 2)
    traces = n // 10
    start = np.sort(rng.uniform(0, WINDOW * WINDOWS, traces))
    own = sites[rng.integers(0, len(sites), traces)] + rng.normal(0, 2, (traces, 2))
    tid = np.repeat(np.arange(traces, dtype=np.int32), 10)
    tim = start[tid] + np.tile(np.arange(10) * 1e-6, traces)

    def drift(tim: np.ndarray) -> np.ndarray:
        turn = 2 * np.pi * tim[:, None] / (WINDOW * WINDOWS)
        return 15 * np.sin(turn * [0.9, 0.6])

    place = np.zeros((len(tim), 3))
    place[:, :2] = own[tid] + rng.normal(0, 2.5, (len(tim), 2)) + drift(tim)
    order = np.argsort(tim, kind="stable")
    variables = {"position": (("localization", "axis"), place[order] * 1e-9)}
    coords = {"tim": ("localization", tim[order]), "tid": ("localization", tid[order])}
    return xr.Dataset(variables, {**coords, "axis": ["x", "y", "z"]}), drift


def compared(n: int, python: str, repeats: int) -> bool:
    """Print times and differences; return whether the answers differ."""
    ds, drift = scene(n)
    # no window of the seed may begin with the last localization
    window = float(np.ptp(ds["tim"].values)) / WINDOWS * (1 - 1e-6)
    same = {"preset": "paint21", "window": window, "quantiles": None, "uncertainty": False}
    runs: dict[str, list[float]] = {"mfxarray": [], "default": [], "pyminflux": []}
    estimate_drift(ds, **same)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.npz"
        store(ds, path, window)
        for _ in range(repeats):
            runs["mfxarray"].append(timed(lambda: estimate_drift(ds, **same)))
            runs["default"].append(timed(lambda: estimate_drift(ds, window=window)))
            theirs = peer(python, path)
            runs["pyminflux"].append(theirs["seconds"])
        mended = peer(python, path, "--mended")
    ours = estimate_drift(ds, **same)
    own = estimate_drift(ds, window=window)
    print(f"-- {ds.sizes['localization']} localizations, load {os.getloadavg()[0]:.1f}")
    for name, seconds in runs.items():
        print(f"{name:10} {', '.join(f'{value:.2f}' for value in seconds)} s")
    ratio = statistics.median(runs["pyminflux"]) / statistics.median(runs["mfxarray"])
    both = {
        name: difference(ours, part) for name, part in [("as it is", theirs), ("mended", mended)]
    }
    told = "; ".join(f"{name} {value:.4f} nm" for name, value in both.items())
    print(f"faster {ratio:.1f}x; largest difference to pyminflux {told}")
    for name, found in [("paint21", ours), ("default", own)]:
        print(f"error of {name}: {error(found, drift):.3f} nm rms", flush=True)
    return both["mended"] > SAME_NM


def store(ds: xr.Dataset, path: Path, window: float) -> None:
    """Write what pyminflux gets; a margin keeps its borders and its wrapping away."""
    x, y = ds["position"].values[:, :2].T * 1e9
    low, high = (np.floor([x.min(), y.min()]) - 40, np.ceil([x.max(), y.max()]) + 40)
    size = PIXEL * np.ceil((high - low) / PIXEL)
    limits = {name: [low[i], low[i] + size[i]] for i, name in enumerate(("rx", "ry"))}
    np.savez(path, x=x, y=y, t=ds["tim"].values, pixel=PIXEL, T=window, **limits)


def timed(run: Any) -> float:
    """Return the seconds of a run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def peer(python: str, path: Path, *flags: str) -> dict[str, Any]:
    """Return what pyminflux finds."""
    script = Path(__file__).with_name("pyminflux_drift.py")
    command = [python, str(script), str(path), *flags]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def difference(ours: xr.Dataset, theirs: dict[str, Any]) -> float:
    """Return the largest difference of the windows' shifts, nm."""
    shifts = ours["window_drift"].values[:, :2] * 1e9
    return float(np.abs(shifts - np.stack([theirs["x"], theirs["y"]], axis=1)).max())


def error(found: xr.Dataset, drift: Any) -> float:
    """Return the rms error of the curve, nm."""
    left = found["drift"].values[:, :2] * 1e9 - drift(found["time"].values)
    return float(np.sqrt(((left - left.mean(axis=0)) ** 2).mean()))


def memory() -> None:
    """Print the peak above the imports and the data for one number of points in growing fields."""
    for field in (4, 40, 400):
        code = "import sys, drift; drift.measure(sys.argv[1])"
        print(f"{field:4} µm: {alone(code, field)}", flush=True)


def measure(field_um: str) -> None:
    """Print the peak of this process for a field of that size, the same localizations in four."""
    ds, drift = scene(60_000)
    place = ds["position"].values
    place[:, :2] += (ds["tid"].values[:, None] % [2, 4] // [1, 2]) * (float(field_um) - 4) * 1e-6
    estimate_drift(ds.isel(localization=slice(0, 20_000)), window=1000.0, uncertainty=False)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    seconds = timed(lambda: estimate_drift(ds, window=WINDOW))
    peak = (resident("VmHWM") - before) / 1e6
    found = estimate_drift(ds, window=WINDOW, uncertainty=False)
    print(f"+{peak:.0f} MB, {seconds:.2f} s, error {error(found, drift):.2f} nm")


def resident(name: str) -> int:
    """Return VmRSS or VmHWM in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
