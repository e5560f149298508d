"""What opening and converting MINFLUX files costs, measured alone in a fresh process each."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import mfxarray as mfx

MB = 1e6


def measure_open(path: str, mode: str, cache: str, warm: str) -> None:
    """Print what opening costs above the import, after a small file if one is given."""
    flat = mode == "flat"
    _import_arrays()
    with mfx.set_options(cache_folder=cache):
        if warm:
            mfx.open_minflux(warm, records=flat)
        read, memory = _read_bytes(), _memory("VmRSS")
        started, used = time.perf_counter(), time.process_time()
        ds = mfx.open_minflux(path, records=flat)
        seconds, used = time.perf_counter() - started, time.process_time() - used
        costs = {"CPU ms": used * 1e3}
        costs["MB above import"] = (_memory("VmRSS") - memory) / MB
        costs["MB read"] = (_read_bytes() - read) / MB
    print(json.dumps({"ms": seconds * 1e3, **costs, "GB records": _record_bytes(path) / 1e9}))
    del ds


def measure_index(path: str, small: str, cache: str) -> None:
    """Print how fast a fresh index is built from a file in the page cache."""
    _remove(cache)
    n_bytes = _record_bytes(path)
    _warm(path)
    with mfx.set_options(cache_folder=cache):
        mfx.open_minflux(small)
        before = _memory("VmRSS")
        _forget_peak()
        started = time.perf_counter()
        ds = mfx.open_minflux(path)
        seconds = time.perf_counter() - started
        peak = _memory("VmHWM")
        again = time.perf_counter()
        mfx.open_minflux(path)
        again = time.perf_counter() - again
    costs = {"MB/s": n_bytes / MB / seconds, "seconds": seconds}
    costs |= {"peak MB": peak / MB, "peak MB above import": (peak - before) / MB}
    costs |= {"GB records": n_bytes / 1e9, "localizations": ds.sizes["localization"]}
    print(json.dumps(costs | {"open again ms": again * 1e3}))


def measure_convert(path: str, cache: str) -> None:
    """Print how fast the first opening converts a file into the cache."""
    _remove(cache)
    _warm(path)
    _import_arrays()
    before = _memory("VmRSS")
    _forget_peak()
    with mfx.set_options(cache_folder=cache):
        flat = "v2" in Path(path).name
        started = time.perf_counter()
        ds = mfx.open_minflux(path, records=flat)
        seconds = time.perf_counter() - started
        peak = _memory("VmHWM")
        again = time.perf_counter()
        mfx.open_minflux(path, records=flat)
        again = time.perf_counter() - again
    n_bytes = _plain_bytes(path, ds)
    costs = {"GB plain": n_bytes / 1e9, "MB/s": n_bytes / MB / seconds, "seconds": seconds}
    costs |= {"peak MB": peak / MB, "peak MB above import": (peak - before) / MB}
    print(json.dumps(costs | {"open again ms": again * 1e3, "rows": int(ds["tid"].size)}))


def measure_json_load(path: str) -> None:
    """Print how fast json.load and numpy make columns of a file."""
    import numpy as np

    _warm(path)
    started = time.perf_counter()
    with open(path, "rb") as file:
        rows = json.load(file)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "itr"}
    steps = [row["itr"] for row in rows]
    if isinstance(steps[0], list):
        for name in steps[0][0]:
            columns[name] = np.array([[step[name] for step in row] for row in steps])
    else:
        columns["itr"] = np.array(steps)
    seconds = time.perf_counter() - started
    size = os.path.getsize(path)
    costs = {"GB plain": size / 1e9, "MB/s": size / MB / seconds, "seconds": seconds}
    print(json.dumps(costs | {"peak MB": _memory("VmHWM") / MB, "rows": len(rows)}))


def measure_loadmat(path: str) -> None:
    """Print how fast scipy loads a file."""
    from scipy.io import loadmat

    _warm(path)
    started = time.perf_counter()
    found = loadmat(path)
    seconds = time.perf_counter() - started
    itr = found["itr"][0, 0]
    arrays = [value for name, value in found.items() if name[0] != "_" and name != "itr"]
    n_bytes = sum(array.nbytes for array in [*arrays, *(itr[name] for name in itr.dtype.names)])
    costs = {"GB plain": n_bytes / 1e9, "MB/s": n_bytes / MB / seconds, "seconds": seconds}
    print(json.dumps(costs | {"peak MB": _memory("VmHWM") / MB, "rows": int(found["tid"].size)}))


def _plain_bytes(path: str, ds: Any) -> int:
    """Return the bytes of the text, or of the unpacked values of a mat file."""
    if path.endswith(".json"):
        return os.path.getsize(path)
    # the writer stores every field as wide as we give it
    fields = [variable for variable in ds.variables.values() if variable.dims[:1] == ds["tid"].dims]
    return sum(variable.nbytes for variable in fields)


def _record_bytes(path: str) -> int:
    from mfxarray.formats.openers import open_measurements

    (found,) = open_measurements(path)
    return int(found.rows.n_rows or 0) * found.rows.dtype.itemsize


def _import_arrays() -> None:
    """Import what every opening needs; `import mfxarray` leaves it for later."""
    import dask.array
    import xarray

    import mfxarray.assemble

    del dask, xarray, mfxarray


def _warm(path: str) -> None:
    """Bring a file or a folder into the page cache."""
    place = Path(path)
    for part in [place] if place.is_file() else place.rglob("*"):
        if part.is_file():
            with part.open("rb", buffering=0) as file:
                while file.read(2**22):
                    pass


def _remove(folder: str) -> None:
    from minflux_files import remove

    remove(Path(folder))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _memory(name: str) -> int:
    """Return VmRSS or VmHWM; getrusage gives the peak of the parent as well."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


def _read_bytes() -> int:
    """Return the bytes of all read calls; no reader maps memory."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])
