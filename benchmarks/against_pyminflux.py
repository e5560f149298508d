"""Tables of localizations beside those of pyminflux 0.7: are they equal, what do they cost.

pyminflux pins older libraries, so it lives in an environment of its own::

    python3.11 -m venv .venv-pyminflux && .venv-pyminflux/bin/pip install pyminflux==0.7.0
    python benchmarks/against_pyminflux.py equality speed

Another one is given by ``--pyminflux`` or MFXARRAY_PYMINFLUX, the path of its python.

``equality`` writes simulated measurements (and real ones, if ``--data`` names their folder) in
every container that it knows and compares column by column; ``speed`` measures the table of 1 M
localizations, each time in a fresh process. Exit code 1 if any table differs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import alone, folder_of, made

import mfxarray as mfx

NM = 1e9
# what pyminflux shows beside tid, tim, x, y, z and dwell
FIELDS = ("efo", "cfr", "eco", "dcr", "fbg", "fluo")
# what pyminflux does not read: MAT 7.3 at all, nested records in JSON and zarr
UNREADABLE = ("7.3.mat", "v1.json", "v1.zarr")
# options of `write_minflux` for every file that is compared
LAYOUTS: dict[str, dict[str, Any]] = {
    "v1.npy": {"model": "v1"},
    "v2.npy": {"model": "v2"},
    "v1.mat": {"model": "v1", "compress": False},
    "v1-packed.mat": {"model": "v1", "compress": True},
    "v2.mat": {"model": "v2", "compress": False},
    "v2-packed.mat": {"model": "v2", "compress": True},
    "v1-7.3.mat": {"model": "v1", "container": "mat v7.3"},
    "v2-7.3.mat": {"model": "v2", "container": "mat v7.3"},
    "v1.json": {"model": "v1"},
    "v2.json": {"model": "v2"},
    "v1.zarr": {"model": "v1"},
    "v2.zarr": {"model": "v2"},
    "v1.pmx": {"model": "v1"},
    "v2.pmx": {"model": "v2"},
}


def main() -> None:
    """Print the comparisons that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=["equality", "speed"])
    known = os.environ.get("MFXARRAY_PYMINFLUX", ".venv-pyminflux/bin/python")
    parser.add_argument("--pyminflux", default=known, help="python of its environment")
    parser.add_argument("--data", type=Path, help="folder with real files")
    parser.add_argument("--folder", type=Path, help="where the big file is, or is to be kept")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full size")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--traces", action="store_true", help="time trace statistics as well")
    options = parser.parse_args()
    if not Path(options.pyminflux).exists():
        parser.error(f"no pyminflux in {options.pyminflux}; the top of this script tells how")
    differ = False
    # the cache not beside the real files
    with folder_of(options) as folder, mfx.set_options(cache_folder=folder / "cache"):
        if "equality" in options.what:
            differ = not equality(folder, options)
        if "speed" in options.what:
            speed(folder, options)
    sys.exit(differ)


def equality(folder: Path, options: argparse.Namespace) -> bool:
    """Print one row for each file; return whether all tables that both can make are equal."""
    files = [*simulated(folder), *real(folder, options.data)]
    theirs = pyminflux(options, *files, out=folder)
    rows = [
        {"file": name_of(path), **compared(path, found, folder / f"{number}.npz")}
        for number, (path, found) in enumerate(zip(files, theirs, strict=True))
    ]
    print(pd.DataFrame(rows).fillna("").to_string(index=False), flush=True)
    return not any(row.get("differs") for row in rows)


def name_of(path: Path) -> str:
    """Return the name of a file, or of the folder around the group ``zarr``."""
    return path.parent.name if path.name == "zarr" else path.name


def simulated(folder: Path) -> Iterator[Path]:
    """Yield measurements in 2D and 3D, invalid localizations among them, in every layout."""
    for dimensions in (2, 3):
        path = folder / f"{dimensions}d.npy"
        mfx.simulate_minflux(path, localizations=5000, dimensions=dimensions)
        yield path
        yield from written(path, folder)


def real(folder: Path, data: Path | None) -> Iterator[Path]:
    """Yield real files, and what we write of them."""
    if data is None:
        return
    for name in ("2D_ValidOnly.npy", "3D_ValidOnly.npy"):
        yield data / name
        yield from written(data / name, folder)
    yield from sorted(data.glob("*.pmx"))
    for path in sorted((data / "derived").iterdir()):
        if path.suffix in (".npy", ".mat", ".json"):
            yield path
        elif path.is_dir():
            yield path / "zarr"


def written(path: Path, folder: Path) -> Iterator[Path]:
    """Yield a file in every layout."""
    data = mfx.open_minflux(path)
    for suffix, options in LAYOUTS.items():
        target = folder / f"{path.stem}-{suffix}"
        mfx.write_minflux(data, target, overwrite=True, **options)
        # the folder that the vendor's unpacking makes has the group in it
        yield target / "zarr" if (target / "zarr").is_dir() else target


def compared(path: Path, found: dict[str, Any], columns: Path) -> dict[str, Any]:
    """Return rows, equal columns and what differs."""
    known = mfx.open_minflux(path).variables
    ours = our_table(path, [name for name in FIELDS if name in known])
    if "error" in found:
        expected = name_of(path).endswith(UNREADABLE)
        return {"rows": len(ours), "note" if expected else "differs": found["error"][-60:]}
    with np.load(columns) as file:
        theirs = {name: file[name] for name in file.files}
    if len(ours) != found["rows"]:
        return {"rows": found["rows"], "differs": f"we have {len(ours['tid'])} rows"}
    equal, differs = [], []
    for name, values in theirs.items():
        if name in ours:
            (equal if same(ours[name].to_numpy(), values) else differs).append(name)
    # their number of the iteration group: one for each localization, in the same order
    if "iid" in theirs:
        (equal if (np.diff(theirs["iid"].astype(int)) > 0).all() else differs).append("iid")
    return {"rows": found["rows"], "equal": " ".join(equal), "differs": " ".join(differs)}


def same(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> bool:
    """Return whether two columns hold the same numbers, without any tolerance."""
    return np.array_equal(ours.astype(float), theirs.astype(float), equal_nan=True)


def our_table(path: str | os.PathLike[str], fields: list[str] | None = None) -> pd.DataFrame:
    """Return our table in the units of pyminflux, with the columns that it adds."""
    table = mfx.read_minflux_table(path, fields=fields)
    for axis in "xyz":
        table[axis] *= NM
    table["dwell"] = np.around(table["eco"] / (table["efo"] / 1000))
    if "fluo" not in table or not table["fluo"].any():
        table["fluo"] = np.uint8(1)
    return table


def pyminflux(
    options: argparse.Namespace, *files: Path, out: Path | None = None, traces: bool = False
) -> list[dict[str, Any]]:
    """Return what pyminflux tells about files, read in one fresh process of its environment."""
    script = Path(__file__).with_name("pyminflux_table.py")
    command = [options.pyminflux, script, *files]
    command += ["--out", out] if out else []
    command += ["--traces"] if traces else []
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def speed(folder: Path, options: argparse.Namespace) -> None:
    """Print seconds, memory above the imports, and ratios; the two take turns."""
    rows = int(1_000_000 * options.scale)
    path = made(
        folder / f"table-{rows}.npy",
        lambda path: mfx.simulate_minflux(path, localizations=rows, dimensions=2),
    )
    for traces in (False, True) if options.traces else (False,):
        runs: dict[str, list[dict[str, Any]]] = {"mfxarray": [], "pyminflux": []}
        for _ in range(options.repeats):
            code = "import sys, against_pyminflux as b; b.measure(*sys.argv[1:])"
            runs["mfxarray"].append(json.loads(alone(code, path, int(traces))))
            runs["pyminflux"] += pyminflux(options, path, traces=traces)
        report(runs, "table and trace statistics" if traces else "table", path)


def report(runs: dict[str, list[dict[str, Any]]], what: str, path: Path) -> None:
    """Print the runs of both and their ratios."""
    table = {name: pd.DataFrame(found) for name, found in runs.items()}
    ours, theirs = table["mfxarray"], table["pyminflux"]
    print(f"-- {what}, {path.stat().st_size / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}")
    for name, frame in table.items():
        times = ", ".join(f"{seconds:.2f}" for seconds in frame["seconds"])
        print(f"{name:10} {times} s; peak {frame['MB'].max():.0f} MB; {frame['rows'][0]} rows")
    best, middle = (
        getattr(theirs["seconds"], how)() / getattr(ours["seconds"], how)()
        for how in ("min", "median")
    )
    share = ours["MB"].max() / theirs["MB"].max()
    print(f"faster {best:.1f}x (best), {middle:.1f}x (median); memory {share:.1%}", flush=True)


def measure(path: str, traces: str) -> None:
    """Print what our table costs in this process, above the imports."""
    import_all()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    frame = our_table(path)
    if int(traces):
        mfx.open_minflux(path).mfx.traces().compute()
    seconds = time.perf_counter() - started
    costs = {"seconds": seconds, "MB": (memory("VmHWM") - before) / 1e6, "rows": len(frame)}
    print(json.dumps(costs))


def import_all() -> None:
    """Import what is otherwise imported at first use; pyminflux imports all at once."""
    # dask looks for a client of distributed at its first computation
    for name in ("mfxarray.opening.table", "mfxarray.minflux.traces.table", "distributed"):
        importlib.import_module(name)


def memory(name: str) -> int:
    """Return VmRSS or VmHWM in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
