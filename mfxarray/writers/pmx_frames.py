"""Matrices of ``.pmx`` files: one row for each flat record, or for each valid localization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION
from mfxarray.writers.mat_variables import aligned_blocks
from mfxarray.writers.outgoing import Outgoing

__all__ = ["Frame", "Groups", "Survey", "flat_frame", "last_frame", "survey"]

Array = np.ndarray[Any, Any]
_NM = 1e9
_AXES = {"loc": ("x", "y", "z"), "lnc": ("lncx", "lncy", "lncz")}
# a change of any of these, or a step back of itr, or the end of a sequence, begins a localization
_SAME = ("tid", "thi", "sqi")


@dataclass(frozen=True)
class Frame:
    """Columns of a matrix and what they are made from.

    Attributes
    ----------
    names, types
        Names and pandas types of the columns.
    n_rows
        Rows that it will have.
    n_iterations
        Iterations of a complete localization.
    cfr_iteration
        Iteration whose cfr is shown.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    n_rows: int
    n_iterations: int = 0
    cfr_iteration: int = 0

    def values(self, records: Array, numbers: Array) -> Array:
        """Return flat records as a matrix of float64, shape (n, columns)."""
        found = np.empty((len(records), len(self.names)))
        place = 0
        for name in records.dtype.names or ():
            width = len(_AXES.get(name, (name,)))
            values = records[name].reshape(len(records), -1)[:, :width]
            found[:, place : place + width] = values
            place += width
        if place < len(self.names):
            found[:, place] = numbers
        return found


@dataclass(frozen=True)
class Survey:
    """What a first pass over the records tells."""

    frame: Frame
    n_fluorophores: np.int64


def survey(outgoing: Outgoing, rows: int) -> Survey:
    """Return the frame of the valid localizations and the number of fluorophores.

    Notes
    -----
    One pass over the blocks.
    """
    inner = outgoing.dtype[ITERATION].base
    nested = inner.names is not None
    shape = outgoing.dtype[ITERATION].shape
    n_iterations, n_rows, highest = (shape[0] if nested else 0), 0, 1
    lowest = np.full(max(1, n_iterations), np.inf)
    largest = -lowest
    for _, block in aligned_blocks(outgoing, rows):
        valid = _valid(block)
        if "fluo" in (block.dtype.names or ()) and len(block):
            highest = max(highest, int(block["fluo"].max()))
        if nested:
            n_rows += int(valid.sum())
            if "cfr" in (inner.names or ()):
                cfr = block[ITERATION]["cfr"][valid]
                lowest = np.fmin(lowest, np.fmin.reduce(cfr, axis=0, initial=np.inf))
                largest = np.fmax(largest, np.fmax.reduce(cfr, axis=0, initial=-np.inf))
            continue
        n_iterations, n_rows = _count_last(block[ITERATION][valid], n_iterations, n_rows)
    measured = np.flatnonzero(largest > lowest)
    cfr_iteration = int(measured[-1]) if measured.size else max(0, n_iterations - 1)
    names, types = _last_columns(outgoing.dtype, nested)
    frame = Frame(names, types, n_rows, n_iterations, cfr_iteration)
    return Survey(frame, np.int64(highest))


def _count_last(itr: Array, n_iterations: int, n_rows: int) -> tuple[int, int]:
    """Return 1 + the highest iteration so far, and how many records have it."""
    top = int(itr.max()) + 1 if itr.size else 0
    if top > n_iterations:
        n_iterations, n_rows = top, 0
    return n_iterations, n_rows + int(np.count_nonzero(itr == n_iterations - 1))


def _valid(records: Array) -> Array:
    if "vld" in (records.dtype.names or ()):
        return np.asarray(records["vld"], bool)
    return np.ones(len(records), bool)


def _last_columns(dtype: np.dtype[Any], nested: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    inner = set((dtype[ITERATION].base if nested else dtype).names or ())
    found = [("tid", dtype["tid"].name), ("tim", "float64")]
    found += [(axis, "float64") for axis in "xyz"]
    for name in ("efo", "cfr", "eco", "dcr"):
        if name in inner:
            base = (dtype[ITERATION].base if nested else dtype)[name].base
            found.append((name, base.name))
    if {"eco", "efo"} <= inner:
        found.append(("dwell", "float64"))
    found.append(("fluo", "uint8"))
    if not nested:
        found.append(("iid", "int64"))
    return tuple(name for name, _ in found), tuple(kind for _, kind in found)


def last_frame(
    records: Array, first: int, frame: Frame, numbers: Array | None = None
) -> tuple[Array, Array]:
    """Return the valid localizations of a block as a matrix in nanometres, and their rows."""
    last = frame.n_iterations - 1
    chosen = _valid(records)
    nested = records.dtype[ITERATION].base.names is not None
    if not nested:
        chosen &= records[ITERATION] == last
    rows = records[chosen]
    step = {"cfr": frame.cfr_iteration}

    def inner(name: str) -> Array:
        values = rows[ITERATION][name][:, step.get(name, last)] if nested else rows[name]
        return np.asarray(values, np.float64)

    position = inner("loc") * _NM
    special: dict[str, Callable[[], Array]] = {
        "x": lambda: position[:, 0],
        "y": lambda: position[:, 1],
        "z": lambda: position[:, 2],
        "dwell": lambda: _dwell(inner("eco"), inner("efo")),
        "iid": lambda: np.asarray(numbers)[chosen],
        "dcr": lambda: inner("dcr").reshape(len(rows), -1)[:, 0],
    }
    found = np.empty((len(rows), len(frame.names)))
    for place, name in enumerate(frame.names):
        plain = name in ("tid", "tim", "fluo")
        found[:, place] = rows[name] if plain else special.get(name, lambda n=name: inner(n))()
    return found, np.flatnonzero(chosen) + first


def _dwell(eco: Array, efo: Array) -> Array:
    """Return the time of the last iteration in dwell times of 1 ms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.rint(eco / (efo / 1000.0))


def flat_frame(dtype: np.dtype[Any], n_rows: int) -> Frame:
    """Return the columns of ``raw/df``: all fields of flat records, and iid.

    Raises
    ------
    ValueError
        If a field is no number, or a vector that is neither a position nor dcr.
    """
    names: list[str] = []
    types: list[str] = []
    for name in dtype.names or ():
        base, shape = dtype[name].base, dtype[name].shape
        if base.kind not in "iufb" or (shape and name != "dcr" and shape != (3,) * (name in _AXES)):
            raise ValueError(f"field {name} of type {dtype[name]} has no column in .pmx; drop it")
        parts = _AXES.get(name, (name,))
        names += parts
        types += [base.name] * len(parts)
    if "iid" not in names:
        names.append("iid")
        types.append("int64")
    return Frame(tuple(names), tuple(types), n_rows)


class Groups:
    """Numbers the localizations of flat records, block after block."""

    def __init__(self) -> None:
        self._last: Array | None = None
        self._count = 0

    def number(self, records: Array) -> Array:
        """Return the number of the localization of each record, -1 for invalid ones."""
        valid = _valid(records)
        rows = records[valid]
        numbers = np.full(len(records), -1, np.int64)
        if not len(rows):
            return numbers
        begins = np.ones(len(rows), bool)
        begins[1:] = _begins(rows[:-1], rows[1:])
        if self._last is not None:
            begins[0] = bool(_begins(self._last, rows[:1])[0])
        numbers[valid] = self._count - 1 + np.cumsum(begins)
        self._count += int(begins.sum())
        self._last = rows[-1:].copy()
        return numbers


def _begins(before: Array, rows: Array) -> Array:
    names = rows.dtype.names or ()
    begins = np.asarray(rows[ITERATION] <= before[ITERATION])
    for name in _SAME:
        if name in names:
            begins |= rows[name] != before[name]
    if "fnl" in names:
        begins |= np.asarray(before["fnl"], bool)
    return begins
