"""Tables of valid localizations as csv, for spreadsheets and other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import replacing

__all__ = ["LAYOUTS", "write_text"]

LAYOUTS = ("pyminflux", "seed")
_NM = 1e9
_DWELL_SECONDS = 1e-3
Array = np.ndarray[Any, Any]
Columns = dict[str, Array]


def write_text(
    path: str | os.PathLike[str],
    outgoing: Outgoing,
    *,
    layout: str = "pyminflux",
    overwrite: bool = False,
) -> None:
    """Write the last positions of the valid localizations as a csv table.

    Parameters
    ----------
    path
        Target.
    outgoing
        The data set.
    layout
        "pyminflux": tid, tim (s), x, y, z (nm), efo, cfr, eco, dcr, dwell, fluo, fbg, as far as
        the records have them. "seed": the columns "x (m)", "y (m)", "z (m)", "t (s)", "trace id".
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        If the target exists and ``overwrite`` is off, or has no folder.
    ValueError
        If the layout is unknown, or the records have no positions.

    Notes
    -----
    z is written as it is, not scaled. One pass over the records and, for flat ones and for cfr,
    one before it, a block at a time in memory. Numbers read back are the same numbers, but for
    the unit. ``cfr`` is that of the last iteration in which it varies, ``dcr`` the first detector,
    ``dwell`` the photons over their frequency in steps of 1 ms.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r} is not known; give one of {', '.join(LAYOUTS)}")
    nested = outgoing.dtype["itr"].base.names is not None
    select = _nested(outgoing) if nested else _flat(outgoing)
    with replacing(path, overwrite=overwrite) as file:
        options = arrow_csv.WriteOptions(include_header=False)
        for number, columns in enumerate(_blocks(outgoing, select, layout)):
            if not number:
                file.write(f"{','.join(columns)}\n".encode())
                continue
            arrow_csv.write_csv(pa.table(list(columns.values()), list(columns)), file, options)


def _blocks(
    outgoing: Outgoing, select: Callable[[Array], Columns], layout: str
) -> Iterator[Columns]:
    """Yield columns without rows, for the header, and then those of every block."""
    shape = _pyminflux if layout == "pyminflux" else _seed
    yield shape(select(np.empty(0, outgoing.dtype)))
    for rows in outgoing.blocks():
        columns = shape(select(rows))
        if len(columns["tid" if layout == "pyminflux" else "trace id"]):
            yield columns


def _nested(outgoing: Outgoing) -> Callable[[Array], Columns]:
    names = outgoing.dtype["itr"].base.names or ()
    last = outgoing.dtype["itr"].shape[0] - 1
    of_cfr = _varying_cfr(outgoing, last) if "cfr" in names else last

    def select(rows: Array) -> Columns:
        rows = rows[rows["vld"]] if "vld" in (rows.dtype.names or ()) else rows
        found = {name: rows[name] for name in ("tid", "tim", "fluo") if name in rows.dtype.names}
        for name in ("loc", "efo", "cfr", "eco", "dcr", "fbg"):
            if name in names:
                found[name] = rows["itr"][name][:, of_cfr if name == "cfr" else last]
        return found

    return select


def _flat(outgoing: Outgoing) -> Callable[[Array], Columns]:
    last = max((int(rows["itr"].max()) for rows in outgoing.blocks() if rows.size), default=0)

    def select(rows: Array) -> Columns:
        rows = rows[rows["vld"] & (rows["itr"] == last)]
        return {name: rows[name] for name in rows.dtype.names}

    return select


def _varying_cfr(outgoing: Outgoing, last: int) -> int:
    """Return the last iteration in which cfr is not the same in all valid localizations."""
    low = np.full(last + 1, np.inf)
    high = np.full(last + 1, -np.inf)
    for rows in outgoing.blocks():
        valid = rows[rows["vld"]] if "vld" in rows.dtype.names else rows
        cfr = valid["itr"]["cfr"]
        low = np.fmin(low, np.fmin.reduce(cfr, axis=0, initial=np.inf))
        high = np.fmax(high, np.fmax.reduce(cfr, axis=0, initial=-np.inf))
    varying = np.flatnonzero(high > low)
    return int(varying[-1]) if varying.size else last


def _pyminflux(found: Columns) -> Columns:
    columns = {"tid": found["tid"], "tim": found["tim"]}
    for axis, name in enumerate("xyz"):
        columns[name] = found["loc"][:, axis] * _NM
    for name in ("efo", "cfr", "eco", "dcr"):
        if name in found:
            columns[name] = _wide(found[name])
    if {"efo", "eco"} <= set(found):
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["dwell"] = np.rint(columns["eco"] / (columns["efo"] * _DWELL_SECONDS))
    columns["fluo"] = found["fluo"] if "fluo" in found else np.ones(len(found["tid"]), "u1")
    if "fbg" in found:
        columns["fbg"] = _wide(found["fbg"])
    return {name: np.ascontiguousarray(values) for name, values in columns.items()}


def _wide(values: Array) -> Array:
    """Return one number a row; floats as float64, because f2 overflows in arithmetic."""
    single = values[:, 0] if values.ndim == 2 else values
    return single.astype(np.float64) if single.dtype.kind == "f" else single


def _seed(found: Columns) -> Columns:
    columns = {f"{name} (m)": found["loc"][:, axis] for axis, name in enumerate("xyz")}
    columns |= {"t (s)": found["tim"], "trace id": found["tid"]}
    return {name: np.ascontiguousarray(values) for name, values in columns.items()}
