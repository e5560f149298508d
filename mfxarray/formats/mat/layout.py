"""Which records the variables of a MATLAB file make: nested, flat, wrapped, Göttingen's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.mat.columns import Column, StoredArray
from mfxarray.formats.mat.nodes import Layout, MatOther, MatStruct, Node
from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path

__all__ = ["layouts"]

_MARKERS = ("fnl", "bot", "eot")
_NEEDED = ("tid", "tim", "loc")
_RECORD_CAP = 2**24
_ITERATIONS_CAP = 4096
# real measurements deflate by a factor of 3 to 10; constant columns are a part of them only
_RATIO_CAP, _FREE_BYTES = 200, 16 * 2**20
_NESTED = record_dtype(1)
_INNER = _NESTED[ITERATION].base
# names of Göttingen's struct, what they are called elsewhere, and the factor to metres
_GOETTINGEN = {"pos": ("loc", 1e-9), "efo": ("efo", 1.0), "cfr": ("cfr", 1.0)}
_GOETTINGEN |= {"fbg": ("fbg", 1.0), "efc": ("efc", 1.0)}
_GOETTINGEN_TAIL = {"t": "tim", "id": "tid"}


def layouts(root: MatStruct, source: FileSource) -> tuple[Layout, ...]:
    """Return the data sets of a file, one for each struct that is one.

    Raises
    ------
    DataError
        If there is none, or a variable of one has an unexpected size or kind.
    """
    found = list(_find(root))
    if not found:
        names = ", ".join(root.fields)[:120] or "none"
        raise DataError(
            f"holds no MINFLUX data; its variables are: {names}",
            path=source.path,
            hint="Expected are tid, tim and loc (or itr.loc), or pos, id and t.",
        )
    made = tuple(_Maker(source, node).layout() for node in found)
    _check_ratio(source, made)
    return made


def _find(node: MatStruct) -> Iterable[MatStruct]:
    names = set(node.fields)
    if {"tid", "loc"} <= names or {"tid", ITERATION} <= names or {"pos", "id", "t"} <= names:
        yield node
        return
    for child in node.fields.values():
        if isinstance(child, MatStruct):
            yield from _find(child)


def _check_ratio(source: FileSource, made: tuple[Layout, ...]) -> None:
    claimed = sum(
        layout.n_rows * column.n_lanes * column.array.dtype.itemsize
        for layout in made
        for column in layout.columns
        if column.n_lanes
    )
    if claimed > _RATIO_CAP * source.size + _FREE_BYTES:
        raise DataError(
            f"claims {claimed} bytes of data in a file of {source.size}, which is not believable",
            path=source.path,
            hint="The file is damaged or was made to exhaust memory.",
        )


class _Maker:
    """Makes the layout of one struct."""

    def __init__(self, source: FileSource, node: MatStruct) -> None:
        self._source, self._node = source, node
        self._columns: list[Column] = []
        self._used: set[str] = set()
        self._warnings: list[str] = []
        self._n_rows = 0

    def layout(self) -> Layout:
        """Return how the arrays of the file become rows; their names tell the layout."""
        fields = self._node.fields
        if {"tid", "loc"} <= set(fields) or ITERATION in fields:
            self._n_rows = self._count("tid")
            return self._flat() if self._is_flat() else self._nested()
        self._n_rows = self._count("id")
        return self._goettingen()

    def _bad(self, message: str, hint: str | None = None) -> DataError:
        where = self._node.name or None
        return DataError(message, path=self._source.path, place=where, hint=hint)

    def _array(self, fields: Mapping[str, Node], name: str) -> StoredArray:
        found = fields[name]
        if isinstance(found, MatOther):
            raise self._bad(f"variable {found.name} is {found.kind}, numbers are needed")
        if isinstance(found, MatStruct):
            raise self._bad(f"variable {found.name} is a struct, numbers are needed")
        return found

    def _count(self, name: str) -> int:
        shape = self._array(self._node.fields, name).shape
        if sum(size != 1 for size in shape) > 1 and 0 not in shape:
            raise self._bad(f"variable {name} has the size {_times(shape)}, expected a vector")
        return math.prod(shape)

    def _is_flat(self) -> bool:
        fields = self._node.fields
        inner = fields.get(ITERATION)
        if isinstance(inner, MatStruct):
            return False
        if "loc" in fields and len(self._array(fields, "loc").shape) == 3:
            return False
        return inner is not None or any(name in fields for name in _MARKERS)

    def _flat(self) -> Layout:
        fields = self._node.fields
        vendor = flat_record_dtype(1)
        self._require(fields, (*_NEEDED, ITERATION))
        for name in vendor.names or ():
            if name in fields:
                tail: tuple[int, ...] = vendor[name].shape
                if name == "dcr":
                    size = math.prod(self._array(fields, name).shape)
                    tail = (max(1, size // max(1, self._n_rows)),)
                self._add(fields, name, (name,), _wide(vendor[name].base), tail)
        self._rest(fields)
        return self._made("v2 flat", None)

    def _nested(self) -> Layout:
        fields = self._node.fields
        wrapped = fields.get(ITERATION)
        inner = wrapped.fields if isinstance(wrapped, MatStruct) else self._unwrapped()
        self._require({**fields, **inner}, _NEEDED)
        n_iterations = self._iterations(inner)
        for name in (*(_INNER.names or ()), *inner):
            if name in inner and name not in self._used:
                self._add_inner(inner, name, n_iterations)
        if isinstance(wrapped, MatStruct):
            self._used = {ITERATION}
        self._vendor_tail(fields)
        self._rest(fields)
        return self._made("v1 nested", n_iterations)

    def _unwrapped(self) -> Mapping[str, Node]:
        """Return the top-level fields that have a value for each iteration."""
        fields, shape = self._node.fields, self._array(self._node.fields, "loc").shape
        several = len(shape) == 3 and shape[1] > 1
        found = {}
        for name, node in fields.items():
            own = () if isinstance(node, MatOther | MatStruct) else node.shape
            if name in (_INNER.names or ()) or (several and own[:2] == shape[:2]):
                found[name] = node
        return found

    def _iterations(self, inner: Mapping[str, Node]) -> int:
        for name in (*(_INNER.names or ()), *inner):
            node = inner.get(name)
            if node is None or isinstance(node, MatOther | MatStruct):
                continue
            shape = node.shape
            vector = name in (_INNER.names or ()) and _INNER[name].shape != ()
            if not self._n_rows:
                return max(1, shape[1]) if len(shape) > 1 and not shape[0] else 1
            n_values = math.prod(shape)
            if vector:
                n_values = math.prod(shape[:-1]) if len(shape) > 1 else n_values
            found, rest = divmod(n_values, self._n_rows)
            if rest or not 1 <= found <= _ITERATIONS_CAP:
                raise self._bad(
                    f"variable {node.name} of size {_times(shape)} does not fit to the "
                    f"{self._n_rows} values of tid"
                )
            return found
        raise self._bad("itr holds no numbers")

    def _add_inner(self, inner: Mapping[str, Node], name: str, n_iterations: int) -> None:
        path = (ITERATION, name)
        if name in (_INNER.names or ()):
            known = _INNER[name]
            self._add(inner, name, path, known.base, (n_iterations, *known.shape))
            return
        node = inner[name]
        if not isinstance(node, MatOther | MatStruct):
            rest = _unknown_tail(node.shape, (self._n_rows, n_iterations))
            if rest is not None:
                self._add(inner, name, path, node.dtype, (n_iterations, *rest))

    def _vendor_tail(self, fields: Mapping[str, Node]) -> None:
        for name in (_NESTED.names or ())[1:]:
            if name in fields:
                self._add(fields, name, (name,), _NESTED[name], ())

    def _goettingen(self) -> Layout:
        fields = self._node.fields
        for name, (ours, factor) in _GOETTINGEN.items():
            if name in fields:
                known = _INNER[ours]
                tail = (1, *known.shape)
                self._add(fields, name, (ITERATION, ours), known.base, tail, scale=factor)
        for name, ours in _GOETTINGEN_TAIL.items():
            self._add(fields, name, (ours,), _NESTED[ours], ())
        if "vld" in fields:
            self._add(fields, "vld", ("vld",), np.dtype("?"), ())
        else:
            self._columns.append(Column(("vld",), np.dtype("?"), (), None, 0, fill=True))
        self._rest(fields)
        return self._made("Göttingen 2021", 1)

    def _rest(self, fields: Mapping[str, Node]) -> None:
        """Carry along what has one entry, or several, for each row."""
        taken = {column.path[0] for column in self._columns}
        for name, node in fields.items():
            if name in self._used or name in taken or isinstance(node, MatOther | MatStruct):
                continue
            tail = _unknown_tail(node.shape, (self._n_rows,))
            if tail is not None:
                self._add(fields, name, (name,), node.dtype, tail)

    def _require(self, fields: Mapping[str, Node], names: tuple[str, ...]) -> None:
        missing = [name for name in names if name not in fields]
        if missing:
            hint = "Export the data set again with these variables."
            raise self._bad(f"lacks the variables {', '.join(missing)}", hint)

    def _add(
        self,
        fields: Mapping[str, Node],
        name: str,
        path: Path,
        dtype: np.dtype[Any],
        tail: tuple[int, ...],
        scale: float = 1.0,
    ) -> None:
        array = self._array(fields, name)
        self._used.add(name)
        n_lanes = math.prod(tail)
        if not _fits(array.shape, (self._n_rows, *tail)):
            plane = (*tail[:-1], 2)
            if path[-1] != "loc" or not _fits(array.shape, (self._n_rows, *plane)):
                expected = _times((self._n_rows, *tail))
                size = _times(array.shape)
                raise self._bad(f"variable {array.name} has the size {size}, expected {expected}")
            # a plane has no z, which is 0 by the convention of 2D exports
            n_lanes = math.prod(plane)
            self._warnings.append(f"{array.name} has two components; z is set to 0")
        self._columns.append(Column(path, dtype, tail, array, n_lanes, scale=scale))

    def _made(self, kind: str, n_iterations: int | None) -> Layout:
        warnings = tuple(self._warnings)
        columns = tuple(self._columns)
        made = Layout(self._node.name, kind, self._n_rows, columns, n_iterations, warnings)
        if made.dtype.itemsize > _RECORD_CAP:
            raise self._bad(f"records of {made.dtype.itemsize} bytes are too large")
        return made


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 for float16, which MATLAB does not have."""
    return np.dtype("<f4") if dtype == np.dtype("<f2") else dtype


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Tell whether sizes agree; MATLAB drops, adds and turns axes of length 1."""
    if 0 in expected:
        return 0 in shape
    return [size for size in shape if size != 1] == [size for size in expected if size != 1]


def _unknown_tail(shape: tuple[int, ...], lead: tuple[int, ...]) -> tuple[int, ...] | None:
    if _fits(shape, lead):
        return ()
    if shape[: len(lead)] == lead and 0 not in shape:
        return shape[len(lead) :]
    return None


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
