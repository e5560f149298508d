"""Every way in which a user opens a file, with all of it computed."""

from __future__ import annotations

import ctypes
import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError, PlanError

__all__ = ["WAYS", "Options", "Result", "is_allowed", "opened", "peak_mb", "reset_peak"]

Options = dict[str, str]
# way, the Dataset or the exception, warnings
Result = tuple[str, Any, list[str]]


def opened(
    path: Path, options: Options, aside: Path, ways: tuple[str, ...] | None = None
) -> Iterator[Result]:
    """Yield what every way gives; a file that is refused is opened with strict=False as well.

    Files are written into the folder ``aside`` only.
    """
    failed = False
    aside.mkdir()
    with mfx.set_options(cache_folder=str(aside / "cache")):
        for way in WAYS:
            if ways is not None and way not in ways and not (way == "partial" and failed):
                continue
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                found: Any
                try:
                    if way == "unpack":
                        found = _unpack(path, aside / "unpacked")
                    else:
                        found = _OPENERS[way](path, options)
                except Exception as error:
                    found, failed = error, failed or way == "strict"
            yield way, found, [str(one.message) for one in heard]


def is_allowed(error: BaseException) -> bool:
    """Tell whether a damaged file may raise this."""
    # damage can make a file of another kind of it, which takes no units
    wrong_units = type(error) is ValueError and str(error).startswith("units= is for")
    return isinstance(error, DataError | PlanError) or wrong_units


def reset_peak() -> None:
    """Let the peak of memory start again from what is used now.

    What earlier cases freed goes back to the system first: malloc would keep it.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """Return the peak of resident memory since the last reset."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def _list(path: Path, options: Options) -> Any:
    # the table takes no units
    return xr.Dataset() if "units" in options else mfx.list_minflux(path)


def _strict(path: Path, options: Options) -> xr.Dataset:
    return _computed(mfx.open_minflux(path, **options))


def _partial(path: Path, options: Options) -> xr.Dataset:
    return _computed(mfx.open_minflux(path, strict=False, **options))


def _records(path: Path, options: Options) -> xr.Dataset:
    return _computed(mfx.open_minflux(path, records=True, **options))


def _partial_records(path: Path, options: Options) -> xr.Dataset:
    return _computed(mfx.open_minflux(path, records=True, strict=False, **options))


def _tree(path: Path, options: Options) -> xr.Dataset:
    if "units" in options:
        return xr.Dataset()
    nodes = mfx.open_minflux_tree(path).subtree_with_keys
    parts = {key: _computed(node.to_dataset(inherit=False)) for key, node in nodes}
    return xr.Dataset(
        {
            f"{key}/{name}": ([f"{key}/{dim}" for dim in variable.dims], variable.values)
            for key, ds in parts.items()
            for name, variable in ds.variables.items()
        }
    )


def _unpack(path: Path, folder: Path) -> xr.Dataset:
    """Return the bytes of all files that an .msr file unpacks to."""
    if path.suffix != ".msr":
        return xr.Dataset()
    mfx.unpack(path, folder)
    files = sorted(found for found in folder.rglob("*") if found.is_file())
    names = [str(file.relative_to(folder)) for file in files]
    return xr.Dataset(
        {
            name: (f"bytes of {name}", np.frombuffer(file.read_bytes(), np.uint8))
            for name, file in zip(names, files, strict=True)
        }
    )


def _computed(ds: xr.Dataset) -> xr.Dataset:
    return ds.compute(scheduler="synchronous", optimize_graph=False)


_OPENERS: dict[str, Callable[[Path, Options], Any]] = {
    "list": _list,
    "strict": _strict,
    "partial": _partial,
    "records": _records,
    "partial records": _partial_records,
    "tree": _tree,
}
WAYS = (*_OPENERS, "unpack")
