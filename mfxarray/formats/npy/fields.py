"""Fields of a structured record: which variable each one is, and its dimensions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.schema import AXES, LOCALIZATIONS, Variable, localization_variable

__all__ = [
    "ITERATION",
    "SourceField",
    "check_layout",
    "fields_of",
    "flat_record_dtype",
    "record_dtype",
]

ITERATION = "itr"
_FLAT_MARKERS = ("fnl", "bot", "eot")
_VECTORS = ("loc", "lnc")
_DETECTORS = ("dcr", "dcr_per_detector")
# unsigned in flat records; a difference below 0 would wrap around
_UNSIGNED = ("eco", "ecc", "tid")
# names that an unknown field does not get: dimensions, our variables, and what they are called in
# files (a second field of that name would be taken for the first)
_RESERVED = {"localization", "record", "iteration", "axis", "detector"}
_RESERVED |= {name for known in LOCALIZATIONS for name in (known.name, known.source_name or "")}
_VENDOR_ITERATION = (
    ("itr", "<i4"),
    ("tic", "<u8"),
    ("loc", "<f8", (3,)),
    ("lnc", "<f8", (3,)),
    ("eco", "<i4"),
    ("ecc", "<i4"),
    ("efo", "<f8"),
    ("efc", "<f8"),
    ("sta", "<i4"),
    ("cfr", "<f8"),
    ("dcr", "<f8"),
    ("ext", "<f8", (3,)),
    *((name, "<f8") for name in ("gvy", "gvx", "eoy", "eox", "dmz", "lcy", "lcx", "lcz", "fbg")),
)
_VENDOR_TAIL = (
    ("sqi", "<u4"),
    ("gri", "<u4"),
    ("tim", "<f8"),
    ("tid", "<i4"),
    ("vld", "?"),
    ("act", "?"),
    ("dos", "<i4"),
    ("sky", "<i4"),
)


_VENDOR_FLAT = (
    *((name, "?") for name in ("vld", *_FLAT_MARKERS)),
    ("sta", "u1"),
    ("tim", "<f8"),
    ("tid", "<u4"),
    ("gri", "<u4"),
    ("thi", "u1"),
    ("sqi", "u1"),
    ("itr", "<i4"),
    ("loc", "<f8", (3,)),
    ("lnc", "<f8", (3,)),
    ("eco", "<u4"),
    ("ecc", "<u4"),
    ("efo", "<f4"),
    ("efc", "<f4"),
    ("fbg", "<f4"),
    ("cfr", "<f2"),
)


@dataclass(frozen=True)
class SourceField:
    """One field of the records and where it goes in the data model.

    Attributes
    ----------
    variable
        Name, unit and meaning in the data model.
    path
        Names that lead to the field in a record, such as ("itr", "loc").
    dtype
        Type of one value in native byte order.
    dims
        Dimensions, "localization" first.
    shape_tail
        Sizes of the dimensions after "localization".
    """

    variable: Variable
    path: tuple[str, ...]
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    shape_tail: tuple[int, ...]


def record_dtype(n_iterations: int) -> np.dtype[Any]:
    """Return Imspector's nested record with that many iterations, 200 K + 30 bytes, packed.

    Raises
    ------
    ValueError
        If ``n_iterations`` is below 1.
    """
    if n_iterations < 1:
        raise ValueError(f"n_iterations must be at least 1, not {n_iterations}")
    nested = (ITERATION, list(_VENDOR_ITERATION), (n_iterations,))
    return np.dtype([nested, *_VENDOR_TAIL])


def flat_record_dtype(n_detectors: int = 2) -> np.dtype[Any]:
    """Return Imspector's flat record of m2410 and later, 101 bytes with two detectors, packed.

    Raises
    ------
    ValueError
        If ``n_detectors`` is below 1.
    """
    if n_detectors < 1:
        raise ValueError(f"n_detectors must be at least 1, not {n_detectors}")
    return np.dtype([*_VENDOR_FLAT, ("dcr", "<f2", (n_detectors,))])


def check_layout(source: FileSource, dtype: np.dtype[Any]) -> int | None:
    """Return the number of iterations of a nested record, None for a flat one.

    Raises
    ------
    DataError
        If the record lacks a field that every record needs, or has it with another type.
    """
    names = dtype.names or ()
    if ITERATION not in names:
        raise _wrong(source, f"the records have no field itr, only {', '.join(names)[:80]}")
    base, shape = _unpack(dtype[ITERATION])
    nested = base.names is not None
    if nested and len(shape) != 1:
        raise _wrong(source, f"itr has the shape {shape}, expected one number of iterations")
    if not nested and (base.kind not in "iu" or shape):
        raise _wrong(source, f"field itr has the unexpected type {dtype[ITERATION]}")
    for place, name, kinds, tail in (
        (base if nested else dtype, "loc", "f", (len(AXES),)),
        (dtype, "tid", "iu", ()),
        (dtype, "tim", "f", ()),
    ):
        if name not in (place.names or ()):
            raise _wrong(source, f"the records have no field {name}")
        kind, extent = _unpack(place[name])
        if kind.kind not in kinds or extent != tail:
            raise _wrong(source, f"field {name} has the unexpected type {place[name]}")
    return int(shape[0]) if nested else None


def _wrong(source: FileSource, message: str) -> DataError:
    hint = "Give a MINFLUX export of Imspector."
    return DataError(message, path=source.path, place="record type", hint=hint)


def _unpack(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    return dtype.subdtype or (dtype, ())


def fields_of(dtype: np.dtype[Any]) -> list[SourceField]:
    """Return all fields of a record in the order of the file; no two share a name."""
    row = "localization" if _unpack(dtype[ITERATION])[0].names else "record"
    used: set[str] = set()
    found = []
    for path, base, dims, tail in _leaves(dtype, (), (row,), ()):
        native = _wide(path[-1], base.newbyteorder("="))
        variable = _variable(path, dims, native, used)
        used.add(variable.name)
        found.append(SourceField(variable, path, native, dims, tail))
    return found


def _wide(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type in which sums and differences of the field come out right."""
    if dtype == np.float16:
        return np.dtype(np.float32)
    if dtype == np.uint32 and name in _UNSIGNED:
        return np.dtype(np.int64)
    return dtype


_Leaf = tuple[tuple[str, ...], np.dtype[Any], tuple[str, ...], tuple[int, ...]]


def _leaves(
    dtype: np.dtype[Any], path: tuple[str, ...], dims: tuple[str, ...], tail: tuple[int, ...]
) -> Iterator[_Leaf]:
    """Yield path, scalar type, dimensions and sizes of every field, nested ones included."""
    for name in dtype.names or ():
        base, shape = _unpack(dtype[name])
        here = (*path, name)
        inner_dims = (*dims, *_dims_of(here, shape, nested=base.names is not None))
        inner_tail = (*tail, *shape)
        if base.names is None:
            yield here, base, inner_dims, inner_tail
        else:
            yield from _leaves(base, here, inner_dims, inner_tail)


def _dims_of(path: tuple[str, ...], shape: tuple[int, ...], *, nested: bool) -> tuple[str, ...]:
    if path == (ITERATION,) and nested:
        return ("iteration",)
    if path[-1] in _DETECTORS and len(shape) == 1:
        return ("detector",)
    if path[-1] in _VECTORS and shape == (len(AXES),):
        return ("axis",)
    if path[0] == ITERATION and len(path) == 2 and shape == (len(AXES),):
        return ("axis",)
    return tuple(f"{_plain_name(path)}_{number}" for number in range(len(shape)))


def _plain_name(path: tuple[str, ...]) -> str:
    inner = path[1:] if path[0] == ITERATION and len(path) > 1 else path
    return re.sub(r"\W", "_", "_".join(inner))


def _variable(
    path: tuple[str, ...], dims: tuple[str, ...], dtype: np.dtype[Any], used: set[str]
) -> Variable:
    """Return the known variable, or a new one whose name is nobody else's."""
    name, dotted = _plain_name(path), ".".join(path)
    for known in (localization_variable(source, dims, dtype.name) for source in (dotted, name)):
        if known in LOCALIZATIONS and known.name not in used and _fits(known, dims):
            return known
    taken = used | _RESERVED
    while name in taken:
        name += "_"
    return Variable(name, dims, dtype.name, None, f"field {dotted} of the file", dotted)


def _fits(known: Variable, dims: tuple[str, ...]) -> bool:
    """Tell whether a field has the dimensions of a variable; records have no iterations."""
    if dims[0] == "record":
        return True
    return ("iteration" in known.dims) == ("iteration" in dims)
