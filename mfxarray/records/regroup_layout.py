"""The nested record that flat records become: which field goes where, and in which type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mfxarray.formats.tables import Path
from mfxarray.records.record_keys import as_flags

__all__ = ["Layout", "Target", "layout_of"]

Array = np.ndarray[Any, Any]

_ITERATION = "itr"
# one value a localization; the order is that of the nested record's tail
_TAIL = ("tim", "tid", "gri", "thi", "sqi", "vld", "fnl", "bot", "eot")
_ANY = ("bot", "eot")
_FLAGS = ("vld", "fnl", "bot", "eot")
_DETECTORS = "dcr"
_PER_DETECTOR = "dcr_per_detector"
# counts that a sum or a difference would wrap around, and ids that must compare with signed ones
_WIDENED = ("eco", "ecc", "tid")


@dataclass(frozen=True)
class Target:
    """One field of the nested record.

    Attributes
    ----------
    path
        Where it goes: ("itr", name) for a value of each iteration, (name,) for one a localization.
    source
        Field of the flat record, None where every record lacks it and it is True throughout.
    rule
        "iteration": each record gives its own; "last": the last record of the localization gives
        it; "any": whether any of its records has it.
    dtype
        Type of the values with their shape after localization and iteration.
    first_only
        Whether only the first detector is taken.
    """

    path: Path
    source: str | None
    rule: Literal["iteration", "last", "any"]
    dtype: np.dtype[Any]
    first_only: bool = False

    def values(self, stored: Array) -> Array:
        """Return stored values in the type of this field."""
        chosen = stored[:, 0] if self.first_only else stored
        base = self.dtype.base
        if base == np.bool_:
            return as_flags(chosen)
        return chosen.astype(base, copy=False)


@dataclass(frozen=True)
class Layout:
    """All fields of the nested record.

    Attributes
    ----------
    dtype
        The record: ``itr``, a compound of shape (K,), then one value a localization each.
    targets
        Its fields in order.
    """

    dtype: np.dtype[Any]
    targets: tuple[Target, ...]

    @property
    def iteration_dtype(self) -> np.dtype[Any]:
        """The compound of one iteration."""
        return self.dtype[_ITERATION].base

    def blank(self) -> Array:
        """Return a record in which no iteration was executed, shape ().

        Numbers of iterations are filled in; floats are NaN, whole numbers 0, flags False.
        """
        record = np.zeros((), self.dtype)
        _fill(record)
        nested = record[_ITERATION]
        nested[_ITERATION] = np.arange(nested.shape[0])
        return record


def layout_of(flat: np.dtype[Any], n_iterations: int) -> Layout:
    """Return the layout of the localizations of flat records.

    Parameters
    ----------
    flat
        Structured dtype of a flat record.
    n_iterations
        K, iterations of a localization.

    Notes
    -----
    Per iteration, in the order of the file: all fields but the ids and flags, time included;
    ``dcr`` of several detectors becomes ``dcr`` of the first and ``dcr_per_detector`` of all.
    Float16 becomes float32; uint32 ``eco``, ``ecc`` and ``tid`` become int64.
    """
    names = flat.names or ()
    inner: list[Target] = []
    for name in names:
        if name not in _TAIL or name == "tim":
            inner += _iteration_targets(name, flat[name], names)
    tail = [_tail_target(name, flat) for name in _TAIL if name in names or name == "vld"]
    compound = np.dtype([(target.path[-1], target.dtype) for target in inner])
    outer = [(target.path[0], target.dtype) for target in tail]
    dtype = np.dtype([(_ITERATION, compound, (n_iterations,)), *outer])
    return Layout(dtype, (*inner, *tail))


def _iteration_targets(
    name: str, dtype: np.dtype[Any], taken: tuple[str, ...]
) -> tuple[Target, ...]:
    path = (_ITERATION, name)
    whole = Target(path, name, "iteration", _widened(name, dtype))
    if name != _DETECTORS or dtype.ndim != 1:
        return (whole,)
    first = Target(path, name, "iteration", whole.dtype.base, first_only=True)
    if dtype.shape == (1,):
        return (first,)
    other = _PER_DETECTOR
    while other in taken:
        other += "_"
    return (first, Target((_ITERATION, other), name, "iteration", whole.dtype))


def _tail_target(name: str, flat: np.dtype[Any]) -> Target:
    if name not in (flat.names or ()):
        return Target((name,), None, "last", np.dtype(np.bool_))
    dtype = np.dtype(np.bool_) if name in _FLAGS else _widened(name, flat[name])
    return Target((name,), name, "any" if name in _ANY else "last", dtype)


def _widened(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype in native byte order in which arithmetic does not overflow at once."""
    base, shape = dtype.base, dtype.shape
    if base.names is not None:
        base = np.dtype([(inner, _widened(inner, base[inner])) for inner in base.names])
    elif base.kind == "f" and base.itemsize == 2:
        base = np.dtype(np.float32)
    elif name in _WIDENED and base.kind == "u" and base.itemsize == 4:
        base = np.dtype(np.int64)
    else:
        base = base.newbyteorder("=")
    return np.dtype((base, shape)) if shape else base


def _fill(values: Array) -> None:
    for name in values.dtype.names or ():
        inner = values[name]
        if inner.dtype.names is not None:
            _fill(inner)
        elif inner.dtype.kind in "fc":
            inner[...] = np.nan
