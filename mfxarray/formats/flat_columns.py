"""Localizations that came as plain columns (text, npz), as records with one iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.tables import Path

__all__ = [
    "AXIS",
    "FIELDS",
    "LENGTHS",
    "TIMES",
    "Place",
    "check_units",
    "place_of",
    "record_of",
    "to_kind",
]

# how many of a unit make a metre, or a second
LENGTHS = {"m": 1.0, "mm": 1e3, "um": 1e6, "µm": 1e6, "μm": 1e6, "nm": 1e9}
TIMES = {"s": 1.0, "sec": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6}
AXIS = {"x": 0, "y": 1, "z": 2}
_INNER = {
    "itr": "<i4",
    "tic": "<u8",
    "loc": "<f8",
    "eco": "<i4",
    "ecc": "<i4",
    "efo": "<f8",
    "cfr": "<f8",
    "dcr": "<f8",
    "fbg": "<f8",
    "efc": "<f8",
}
_OUTER = {"tim": "<f8", "tid": "<i4", "vld": "?"}
# columns of pyMINFLUX that Imspector does not have
_KNOWN = {"fluo": "u1", "iid": "<i8", "dwell": "<f8"}
# names of columns that the data model knows
FIELDS = frozenset({*AXIS, *_OUTER, *_KNOWN, *_INNER} - {"loc"})
# field and place in the axes after the rows
Place = tuple[Path, tuple[int, ...]]
Array = np.ndarray[Any, Any]


def check_units(units: str | None) -> str | None:
    """Return the unit as it is.

    Raises
    ------
    ValueError
        If it is no unit of length that is known.
    """
    if units is not None and units not in LENGTHS:
        raise ValueError(f"units={units!r} is not known; give one of {', '.join(LENGTHS)}")
    return units


def place_of(name: str) -> Place:
    """Return where a column goes: a field, and the place in its axes."""
    if name in AXIS:
        return (ITERATION, "loc"), (0, AXIS[name])
    if name in _INNER and name != "loc":
        return (ITERATION, name), (0,)
    return (name,), ()


def record_of(names: list[str], kinds: dict[str, str]) -> np.dtype[Any]:
    """Return the record for columns of these names, with one iteration.

    Parameters
    ----------
    names
        Names; what the data model does not know keeps its name and goes last.
    kinds
        Types of what the data model does not know, 8-byte floats if not given.
    """
    inner = [
        (name, kind, (3,)) if name == "loc" else (name, kind)
        for name, kind in _INNER.items()
        if name in names or name == "loc"
    ]
    others = [
        (name, _KNOWN.get(name, kinds.get(name, "<f8")))
        for name in names
        if name in _KNOWN or name not in FIELDS
    ]
    return np.dtype([(ITERATION, inner, (1,)), *_OUTER.items(), *others])  # type: ignore[arg-type]


def to_kind(values: Array, dtype: np.dtype[Any], name: str, path: str) -> Array:
    """Return numbers in the type of their field.

    Raises
    ------
    DataError
        If a whole number or a flag is expected and something else is there; ``place`` is then
        the row, counted from 0.
    """
    if values.dtype == dtype or dtype.kind == "f":
        return values.astype(dtype, copy=False)
    with np.errstate(invalid="ignore"):
        found = values.astype(dtype)
    wrong = np.flatnonzero(found.astype(np.float64) != values.astype(np.float64))
    if wrong.size:
        value = values[wrong[0]].item()
        kind = "neither 0 nor 1" if dtype.kind == "b" else f"no whole number of type {dtype.name}"
        raise DataError(f"{name} is {value!r}, {kind}", path=path, place=str(int(wrong[0])))
    return found
