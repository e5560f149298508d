"""MINFLUX containers of 1 to 10 GB: opening, indexing, last positions, converting JSON and mat.

Name one or more of: open, index, last, json, mat.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from common import alone, folder_of
from minflux_files import (
    big_file,
    big_json,
    nested_npy,
    remove,
    stored_bytes,
    unpacked_file,
    zipped_folder,
)

GB, MB = 1e9, 1e6
Row = dict[str, Any]


def main() -> None:
    """Print the table of each named measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+", choices=list(_TABLES))
    parser.add_argument("--folder", type=Path, help="where the big files are made")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full size")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes; the best counts")
    parser.add_argument("--model", choices=["v1", "v2"], help="only this one, of open and json")
    parser.add_argument("--keep", action="store_true", help="keep the big files in the folder")
    options = parser.parse_args()
    with folder_of(options) as folder:
        for what in options.what:
            print(f"-- {what} (load {os.getloadavg()[0]:.1f})", flush=True)
            rows = _TABLES[what](folder, options)
            print(pd.DataFrame(rows).to_string(index=False), flush=True)
            print(f"   (load {os.getloadavg()[0]:.1f})", flush=True)


def table_open(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return what opening costs, by container, model and way of opening; 10 GB on disk each."""
    rows = []
    for model in _models(options):
        size = 10 * GB * options.scale
        msr = big_file(folder, f"big-{model}.msr", model, size, on_disk=True)
        small = big_file(folder, f"small-{model}.msr", model, 30 * MB)
        rows += _opened(msr, small, model, folder, options)
        zarr, small_zarr = (unpacked_file(path, path.with_suffix("")) for path in (msr, small))
        _done(options, msr, small)
        rows += _opened(zarr, small_zarr, model, folder, options)
        zipped, small_zip = (zipped_folder(path) for path in (zarr, small_zarr))
        _done(options, zarr, small_zarr)
        rows += _opened(zipped, small_zip, model, folder, options)
        _done(options, zipped, small_zip)
    return rows


def _opened(
    path: Path, small: Path, model: str, folder: Path, options: argparse.Namespace
) -> list[Row]:
    rows, cache = [], folder / "cache"
    for mode in ("flat", "regrouped") if model == "v2" else ("nested",):
        _best(1, "measure_open", path, mode, cache, "")  # makes the index
        for warm in ("", str(small)):
            best = _best(options.repeats, "measure_open", path, mode, cache, warm)
            shown = {"file": path.name, "as": mode, "GB disk": stored_bytes(path) / GB}
            rows.append(_rounded({**shown, "after a small one": bool(warm), **best}))
            print(rows[-1], flush=True)
    remove(cache)
    return rows


def table_index(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return the speed at which the localizations of flat files are found."""
    rows = []
    for suffix in ("npy", "msr"):
        path = big_file(folder, f"index.{suffix}", "v2", 5 * GB * options.scale)
        small = big_file(folder, f"small.{suffix}", "v2", 30 * MB)
        cache = folder / "cache"
        best = _best(options.repeats, "measure_index", path, small, cache)
        rows.append(_rounded({"file": path.name, "GB disk": stored_bytes(path) / GB, **best}))
        _done(options, path, small, cache)
    return rows


def table_last(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return the speed of the last positions beside that of reading the file."""
    path = nested_npy(folder, int(2_465_000 * options.scale))
    code = "import sys, minflux_last; minflux_last.measure(*sys.argv[1:])"
    rows = json.loads(alone(code, path, options.repeats))
    _done(options, path)
    return [_rounded(row) for row in rows]


def table_json(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return the speed of converting JSON, beside json.load and numpy on a smaller file."""
    rows = []
    for model in _models(options):
        big = big_json(folder, f"big-{model}.json", model, GB * options.scale)
        small = big_json(folder, f"small-{model}.json", model, 0.125 * GB * options.scale)
        rows += _beside_plain(folder, big, small, "measure_json_load", options)
    return rows


def table_mat(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Return the speed of converting deflated mat files, beside scipy on a smaller file.

    The sizes are those of the unpacked values; the struct itr, one variable, stays below 2**31.
    """
    sizes = {"big": 2.03 * GB * options.scale, "small": 0.4 * GB * options.scale}
    big, small = (
        big_file(folder, f"{name}.mat", "v1", size, compress=True) for name, size in sizes.items()
    )
    return _beside_plain(folder, big, small, "measure_loadmat", options)


def _beside_plain(
    folder: Path, big: Path, small: Path, plain: str, options: argparse.Namespace
) -> list[Row]:
    cache = folder / "cache"
    runs: dict[tuple[str, str], Row] = {}
    for _ in range(options.repeats):
        # in turns, so that noise hits all alike
        for path, measure in ((big, "measure_convert"), (small, "measure_convert"), (small, plain)):
            arguments = (path, cache) if measure == "measure_convert" else (path,)
            found = _best(1, measure, *arguments)
            known = runs.setdefault((path.name, measure), found)
            runs[path.name, measure] = min(known, found, key=lambda run: run["seconds"])
            remove(cache)
    slow = runs[small.name, plain]["MB/s"]
    rows = []
    for (name, measure), run in runs.items():
        size = stored_bytes(folder / name) / GB
        how = measure.removeprefix("measure_")
        shown = {"file": name, "GB disk": size, "how": how, **run, "ratio": run["MB/s"] / slow}
        rows.append(_rounded(shown))
    _done(options, big, small)
    return rows


def _models(options: argparse.Namespace) -> tuple[str, ...]:
    return (options.model,) if options.model else ("v1", "v2")


def _best(repeats: int, measure: str, *arguments: object) -> Row:
    """Return what the fastest of some fresh processes prints."""
    code = f"import sys, minflux_costs; minflux_costs.{measure}(*sys.argv[1:])"
    runs = [json.loads(alone(code, *arguments)) for _ in range(repeats)]
    return min(runs, key=lambda run: run.get("seconds", run.get("ms")))


def _rounded(row: Row) -> Row:
    return {
        key: float(f"{value:.3g}") if isinstance(value, float) else value
        for key, value in row.items()
    }


def _done(options: argparse.Namespace, *paths: Path) -> None:
    if not options.keep:
        remove(*paths)


_TABLES: dict[str, Callable[[Path, argparse.Namespace], list[Row]]] = {
    "open": table_open,
    "index": table_index,
    "last": table_last,
    "json": table_json,
    "mat": table_mat,
}


if __name__ == "__main__":
    main()
