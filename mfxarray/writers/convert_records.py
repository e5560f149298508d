"""Nested records of the older model to flat ones of the newer model; the way back is `nest`.

References
----------
Sections a.1, a.2 and f of the format specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.writers.casting import cast
from mfxarray.writers.nest_records import nest, nest_blocks, nested_dtype

__all__ = [
    "executed",
    "flat_dtype",
    "flatten",
    "flatten_blocks",
    "nest",
    "nest_blocks",
    "nested_dtype",
    "same_trace",
]

_TICK_S = 25e-9
_FINAL, _NOT_FINAL = 1, 2
# one value a record where the nested model has none
_FILL = {"cfr": CFR_NOT_MEASURED, "vld": True}
# localizations regrouped from flat records have the first detector in ``dcr`` and all of them here
_ALL_DETECTORS = "dcr_per_detector"
_MARKS = ("fnl", "bot", "eot")

Array = np.ndarray[Any, Any]


def flat_dtype(nested: np.dtype[Any]) -> np.dtype[Any]:
    """Return the vendor's flat record, fields that neither model knows at its end."""
    inner = _inner(nested)
    shapes = [inner[name].shape for name in (_ALL_DETECTORS, "dcr") if name in (inner.names or ())]
    vendor = flat_record_dtype(shapes[0][0] if shapes and shapes[0] else 2)
    old = record_dtype(1)
    known = {*(vendor.names or ()), *(old.names or ()), *(_inner(old).names or ()), _ALL_DETECTORS}
    fields: list[Any] = [(name, vendor[name]) for name in vendor.names or ()]
    for dtype in (inner, nested):
        fields += [(name, dtype[name]) for name in dtype.names or () if name not in known]
        known |= set(dtype.names or ())
    return np.dtype(fields)


def executed(rows: Array) -> Array:
    """Return which iterations of nested records were executed, shape (n, K).

    Notes
    -----
    Those with a position; in localizations regrouped from flat records, those with a time too.
    """
    nested = rows[ITERATION]
    found = np.isfinite(nested["loc"]).any(axis=-1)
    if "tim" in (nested.dtype.names or ()):
        found |= np.isfinite(nested["tim"]) & (nested["tim"] != 0)
    return np.asarray(found)


def flatten(
    rows: Array, dtype: np.dtype[Any] | None = None, *, before: Array | None = None
) -> Array:
    """Return one flat record for every executed iteration, in the order of localizations.

    Parameters
    ----------
    rows
        Nested records, shape (n,), or localizations regrouped from flat records, which have
        ``fnl``, ``bot`` and ``eot`` once a localization and ``tim`` for every iteration too.
    dtype
        Type of a flat record; `flat_dtype` of theirs if not given.
    before
        The last flat record of the block before, shape (1,); it tells whether the first record
        begins a trace.

    Returns
    -------
    numpy.ndarray
        Flat records, shape (m,).

    Raises
    ------
    ValueError
        If a number does not fit its field.

    Notes
    -----
    Fields that are made: ``fnl`` in the last of the K iterations; ``bot`` where ``tid``, ``sqi`` or
    ``thi`` differ from the record before; ``eot`` in the last record of a trace that ends with an
    invalid localization (a trace's end is an invalid record, so among valid ones there is none);
    ``sta`` 1 in the final iteration and 2 before it, where the localization is valid and has no
    code of its own; ``tim`` of every iteration from its ticks of 25 ns, of the localization where
    there are none; ``dcr`` the ratio and its complement. What the nested records lack is NaN, in
    whole numbers 0, in ``cfr`` the vendor's mark. Negative photon counts (background subtracted)
    become 0, because the flat model stores no sign. In a localization regrouped from flat records
    that ended invalid, the records before its last one are valid where ``sta`` says so.

    The last record is treated as the end of its trace; `flatten_blocks` mends that.
    """
    target = flat_dtype(rows.dtype) if dtype is None else dtype
    row, step = np.nonzero(executed(rows))
    found = np.zeros(row.size, target)
    names = target.names or ()
    for name in names:
        values = _taken(rows, name, row, step)
        if values is not None:
            found[name] = _fitted(values, target[name], name)
        elif name in _FILL or target[name].base.kind == "f":
            found[name] = _FILL.get(name, np.nan)
    source = _Source(rows, row, step, before)
    for name, make in _MADE.items():
        if name in names and _must_make(rows.dtype, name):
            found[name] = make(source, found)
    return found


def flatten_blocks(blocks: Iterable[Array], dtype: np.dtype[Any] | None = None) -> Iterator[Array]:
    """Yield the flat records of blocks of nested ones; how they are cut changes no record."""
    held: Array | None = None
    for rows in blocks:
        found = flatten(rows, dtype, before=held)
        if not found.size:
            continue
        if held is not None:
            if "eot" in (held.dtype.names or ()) and "eot" not in (rows.dtype.names or ()):
                held["eot"] &= ~same_trace(held, found[:1])
            yield held
        # whether a record ends its trace is known when the next one is there
        held = found[-1:].copy()
        if found.size > 1:
            yield found[:-1]
    if held is not None:
        yield held


def same_trace(first: Array, second: Array) -> Array:
    """Return which flat records belong to the same trace, record by record."""
    keys = [key for key in ("tid", "sqi", "thi") if key in (first.dtype.names or ())]
    same: Array = np.logical_and.reduce([first[key] == second[key] for key in keys])
    return same


@dataclass(frozen=True)
class _Source:
    """Nested records, and which localization and iteration of them each flat record is."""

    rows: Array
    row: Array
    step: Array
    before: Array | None

    def once(self, name: str) -> Array | None:
        """Return a value that localizations have once, for each record."""
        return self.rows[name][self.row] if name in (self.rows.dtype.names or ()) else None

    def first(self) -> Array:
        """Return which records are the first of their localization."""
        return np.diff(self.row, prepend=-1) != 0

    def last(self) -> Array:
        """Return which records are the last of their localization."""
        return np.diff(self.row, append=-1) != 0


def _inner(nested: np.dtype[Any]) -> np.dtype[Any]:
    return nested[ITERATION].base


def _is_regrouped(nested: np.dtype[Any]) -> bool:
    return "tim" in (_inner(nested).names or ())


def _must_make(nested: np.dtype[Any], name: str) -> bool:
    """Tell whether a field has to be made: the records do not have it for each iteration."""
    if name == "sta":  # the older model says 0 for all that went well
        return not (_is_regrouped(nested) and name in (_inner(nested).names or ()))
    if name == "vld":
        return _is_regrouped(nested) and name in (nested.names or ())
    return name not in (_inner(nested).names or ())


def _taken(rows: Array, name: str, row: Array, step: Array) -> Array | None:
    inner = rows[ITERATION]
    inner_names = inner.dtype.names or ()
    if name == "dcr" and _ALL_DETECTORS in inner_names:
        return np.asarray(inner[_ALL_DETECTORS][row, step])
    if name in inner_names:
        return np.asarray(inner[name][row, step])
    if name == ITERATION:
        return step
    if name in (rows.dtype.names or ()) and name not in _MARKS:
        return np.asarray(rows[name][row])
    return None


def _fitted(values: Array, field: np.dtype[Any], name: str) -> Array:
    """Return values in the type and shape of a field; only ``dcr`` may change its shape."""
    if name in ("eco", "ecc") and field.kind == "u" and values.dtype.kind == "i":
        values = np.maximum(values, 0)
    if name == "dcr" and values.shape[1:] != field.shape:
        values = _detectors(values, field.shape)
    return cast(values, field.base, name)


def _detectors(values: Array, shape: tuple[int, ...]) -> Array:
    first = values[:, 0] if values.ndim > 1 else values
    if not shape:
        return first
    both = np.stack([first, 1.0 - first], axis=-1) if shape[0] > 1 else first[:, np.newaxis]
    return np.asarray(both)


def _valid(source: _Source, found: Array) -> Array:
    valid = found["vld"].copy()
    if "sta" in (found.dtype.names or ()):
        valid |= ~source.last() & ((found["sta"] == _FINAL) | (found["sta"] == _NOT_FINAL))
    return valid


def _final(source: _Source, found: Array) -> Array:
    stored = source.once("fnl")
    if stored is not None:
        return np.asarray(stored & source.last())
    return np.asarray(source.step == source.rows[ITERATION].shape[1] - 1)


def _begins(source: _Source, found: Array) -> Array:
    stored = source.once("bot")
    if stored is not None:
        return np.asarray(stored & source.first())
    begins = np.ones(found.size, bool)
    begins[1:] = ~same_trace(found[1:], found[:-1])
    if source.before is not None and found.size:
        begins[:1] = ~same_trace(found[:1], source.before)
    return begins


def _ends(source: _Source, found: Array) -> Array:
    stored = source.once("eot")
    if stored is not None:
        return np.asarray(stored & source.last())
    ends = np.ones(found.size, bool)
    ends[:-1] = ~same_trace(found[1:], found[:-1])
    return ends & ~found["vld"] if "vld" in (found.dtype.names or ()) else np.zeros_like(ends)


def _status(source: _Source, found: Array) -> Array:
    final = source.step == source.rows[ITERATION].shape[1] - 1
    valid = found["vld"] if "vld" in (found.dtype.names or ()) else np.ones(found.size, bool)
    fine = np.where(final, _FINAL, _NOT_FINAL)
    return np.where((found["sta"] == 0) & valid, fine, found["sta"])


def _times(source: _Source, found: Array) -> Array:
    # aggregated exports hold zeros for ticks
    if "tic" not in (_inner(source.rows.dtype).names or ()):
        return np.asarray(found["tim"])
    ticks = source.rows[ITERATION]["tic"][source.row, source.step]
    return np.where(ticks == 0, found["tim"], ticks * _TICK_S)


_Make = Callable[[_Source, Array], Array]
_MADE: dict[str, _Make] = {
    "vld": _valid,
    "fnl": _final,
    "bot": _begins,
    "eot": _ends,
    "sta": _status,
    "tim": _times,
}
