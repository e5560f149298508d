"""Drift in 2D beside pyminflux 0.7: seconds, and whether both find the same.

Rings under a known drift in a field of 4 by 4 µm, 11 windows, pixels of 2 nm. Both get columns in
memory and the same windows; ours has the parameters of the paper (``preset="paint21"``) and, in a
further run, our own. pyminflux runs twice, as it is and without three slips (see
`pyminflux_drift.py`); only then can the answers be equal. Its environment is that of
`against_pyminflux.py`. ``--what memory`` shows ours for fields of growing size instead.
Exit code 1 if the answers differ by more than 0.01 nm.

``--what trust`` needs no pyminflux: it simulates rings, molecules seen again, seen once, and seen
for a while only, at rest and drifting, and shows how many drifts are refused, how wrong the others
are, and how many are more than three of their own standard deviations off.
Exit code 1 if those are more than 5 %, or a drift is found where nothing is seen twice.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from common import alone, parser_of

from mfxarray.minflux.drift.estimate import estimate_drift
from mfxarray.simulate.minflux import simulate_minflux

WINDOW, WINDOWS, PIXEL = 600.0, 11, 2.0
SAME_NM = 0.01


def main() -> None:
    """Print the comparison."""
    parser = parser_of(__doc__.splitlines()[0])
    known = os.environ.get("MFXARRAY_PYMINFLUX", ".venv-pyminflux/bin/python")
    parser.add_argument("--pyminflux", default=known, help="python of its environment")
    parser.add_argument("--what", choices=["speed", "memory", "trust"], default="speed")
    options = parser.parse_args()
    if options.what == "memory":
        return memory()
    if options.what == "trust":
        sys.exit(trust(int(20 * options.scale)))
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


Truth = Callable[[np.ndarray], np.ndarray]


def trust(seeds: int) -> bool:
    """Print how drifts of simulations compare to what they tell; return whether they fail."""
    failed = False
    cases = [
        (scene_of, n, amplitude)
        for scene_of, numbers in SCENES.items()
        for n in numbers
        for amplitude in (0.0, 50.0, 200.0)
    ]
    for dimensions in (2, 3):
        for scene_of, n, amplitude in cases:
            name = f"{scene_of.__name__} {n} {dimensions}D {amplitude:.0f} nm"
            ratios, errors = [], []
            for seed in range(seeds):
                ds, truth = moved(*scene_of(n, seed, dimensions), dimensions, amplitude)
                try:
                    found = estimate_drift(ds)
                except ValueError:
                    continue
                ratio, wrong = judged(found, truth, dimensions)
                ratios.append(ratio)
                errors.append(wrong)
            failed |= told_of(name, seeds, ratios, errors, seen_once=scene_of is once)
    return failed


def told_of(
    name: str, seeds: int, ratios: list[float], errors: list[float], *, seen_once: bool
) -> bool:
    """Print a line; return whether too many are wrong."""
    far = sum(not ratio < 3 for ratio in ratios)
    text = f"{name:24} found {len(ratios)} of {seeds}"
    if ratios:
        text += f", error {np.median(errors):.2f} nm, at most {max(errors):.2f} nm; "
        text += f"{np.median(ratios):.2f} deviations, at most {max(ratios):.2f}, {far} above 3"
    print(text, flush=True)
    return far > max(0.05 * len(ratios), 1) or (seen_once and len(ratios) > 0.05 * seeds)


def judged(found: xr.Dataset, truth: Truth, dimensions: int) -> tuple[float, float]:
    """Return the largest ratio of rms error and uncertainty of an axis, and the rms error in nm."""
    wrong = (found["drift"].values - truth(found["time"].values))[:, :dimensions]
    wrong = np.sqrt(((wrong - wrong.mean(axis=0)) ** 2).mean(axis=0))
    own = np.sqrt((found["drift_uncertainty"].values[:, :dimensions] ** 2).mean(axis=0))
    return float((wrong / own).max()), float(np.sqrt((wrong**2).mean())) * 1e9


Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def rings(n: int, seed: int, dimensions: int) -> Columns:
    """Return position, time and trace of n localizations of the package's simulator."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rings.npy"
        simulate_minflux(path, localizations=n, seed=seed, dimensions=dimensions)
        rows = np.load(path)
    rows = rows[rows["vld"]]
    return rows["itr"]["loc"][:, -1], rows["tim"], rows["tid"]


def molecules(n: int, seed: int, visits: int, span: float, stay: float) -> Columns:
    """Return localizations of single molecules, ten a trace, each seen for some time."""
    rng = np.random.default_rng((seed, 5))
    traces = max(n // 10, 10)
    place = rng.uniform(0, 5000, (max(traces // visits, 1), 3)) * [1, 1, 0.04]
    which = np.arange(traces) if visits == 1 else rng.integers(0, len(place), traces)
    start = rng.uniform(0, span, len(place))[which] + rng.uniform(0, stay, traces)
    order = np.argsort(start)
    tid = np.repeat(np.arange(traces), 10)
    tim = start[order][tid] + np.tile(np.arange(10) * 1e-6, traces)
    position = place[which[order]][tid] + rng.normal(0, 2.5, (len(tid), 3))
    return position * 1e-9, tim, tid


def again(n: int, seed: int, dimensions: int) -> Columns:
    """Return molecules seen four times, at any time."""
    return molecules(n, seed, 4, 0.0, 10_000.0)


def once(n: int, seed: int, dimensions: int) -> Columns:
    """Return molecules seen once."""
    return molecules(n, seed, 1, 10_000.0, 0.0)


def a_while(n: int, seed: int, dimensions: int) -> Columns:
    """Return molecules seen five times within 300 s."""
    return molecules(n, seed, 5, 10_000.0, 300.0)


SCENES = {
    rings: (300, 1000, 3000, 5000, 20_000),
    again: (300, 3000, 10_000),
    once: (300, 3000, 10_000),
    a_while: (3000, 10_000),
}


def moved(
    position: np.ndarray, tim: np.ndarray, tid: np.ndarray, dimensions: int, amplitude: float
) -> tuple[xr.Dataset, Truth]:
    """Return localizations under a wave of drift, and the wave."""
    sizes = np.array([1.0, -0.7, 0.8 if dimensions == 3 else 0.0]) * amplitude * 1e-9
    first, span = tim.min(), np.ptp(tim)

    def truth(tim: np.ndarray) -> np.ndarray:
        part = (tim[:, None] - first) / span
        return sizes * np.sin(2 * np.pi * (0.9 * part + [0.0, 0.15, 0.3])) / 2

    place = position + truth(tim)
    if dimensions == 2:
        place[:, 2] = 0.0
    variables = {"position": (("localization", "axis"), place)}
    coords = {"tim": ("localization", tim), "tid": ("localization", tid)}
    return xr.Dataset(variables, {**coords, "axis": ["x", "y", "z"]}), truth


def resident(name: str) -> int:
    """Return VmRSS or VmHWM in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
