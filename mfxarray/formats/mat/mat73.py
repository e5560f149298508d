"""MAT files of version 7.3: HDF5 behind 512 bytes, axes in reverse, structs as groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.chunks import read_box
from mfxarray.formats.hdf5.hdf5 import check_dataset, children, h5py_module, opened, text_attr
from mfxarray.formats.mat.columns import ColumnTable, Request
from mfxarray.formats.mat.nodes import Layout, MatOther, MatStruct, Node
from mfxarray.formats.sources import FileSource

__all__ = ["Mat73Array", "Mat73Reader", "rows_of", "variables"]

Array = np.ndarray[Any, Any]
_DEPTH_CAP, _GROUPS_CAP = 8, 1000
# MATLAB keeps the content of cells and objects in groups of its own
_OWN = "#"


@dataclass(frozen=True)
class Mat73Array:
    """A numeric array of a MAT file of version 7.3; a `mat_columns.StoredArray`.

    Attributes
    ----------
    name, shape, dtype
        See `mat_columns.StoredArray`.
    place
        Path of the dataset.
    chunk_rows
        Values along the longest axis that are deflated together; 1 where none are.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    place: str
    chunk_rows: int = 1


@dataclass(frozen=True)
class Mat73Reader:
    """Reads lanes of datasets; a `mat_columns.LaneReader`. The file is opened for each call."""

    source: FileSource
    n_rows: int

    def lanes(self, requests: Sequence[Request]) -> Iterator[Array]:
        """Yield the values of each request; a chunk is inflated once for each request."""
        with opened(self.source) as file:
            for request in requests:
                if request.stop <= request.start:
                    # the array of an empty table has no dataset
                    yield np.empty((request.last - request.first, 0), request.array.dtype)
                    continue
                values = self._lanes(file[request.array.place], request)
                yield values.astype(values.dtype.newbyteorder("="), copy=False)

    def _lanes(self, dataset: Any, request: Request) -> Array:
        n_lanes, count = request.last - request.first, request.stop - request.start
        if self.n_rows == 1:
            whole = read_box(dataset, tuple((0, size) for size in dataset.shape), self.source)
            return whole.reshape(-1, 1)[request.first : request.last]
        # the rows are the last axis that is not 1: MATLAB's first, as the axes are in reverse
        rows = max(axis for axis, size in enumerate(dataset.shape) if size != 1)
        box = [(0, size) for size in dataset.shape]
        box[rows] = (request.start, request.stop)
        if n_lanes == 1:
            outer = dataset.shape[:rows]
            index = np.unravel_index(request.first, outer) if outer else ()
            box[:rows] = [(int(number), int(number) + 1) for number in index]
            return read_box(dataset, tuple(box), self.source).reshape(1, count)
        found = read_box(dataset, tuple(box), self.source).reshape(-1, count)
        return found[request.first : request.last]


def variables(source: FileSource) -> MatStruct:
    """Return the variables of a file, as the fields of one struct.

    Raises
    ------
    DataError
        If h5py is missing, or the file is damaged, has soft or external links, cycles, datasets
        whose values are elsewhere, or ones that claim more than is stored.
    """
    with opened(source) as file:
        return _struct(file, "", source, set(), 0)


def _struct(group: Any, name: str, source: FileSource, seen: set[int], depth: int) -> MatStruct:
    address = h5py_module(source.path).h5o.get_info(group.id).addr
    if address in seen or depth > _DEPTH_CAP or len(seen) > _GROUPS_CAP:
        message = f"group {group.name} is reached twice, or groups are too many or too deep"
        raise DataError(message, path=source.path)
    seen.add(address)
    found: dict[str, Node] = {}
    for field, child in children(group, source):
        if field.startswith(_OWN):
            continue
        full = f"{name}.{field}" if name else field
        if hasattr(child, "keys"):
            found[field] = _struct(child, full, source, seen, depth + 1)
        elif hasattr(child, "shape"):
            found[field] = _array(child, full, source)
    return MatStruct(name, found)


def _array(dataset: Any, name: str, source: FileSource) -> Node:
    kind = text_attr(dataset, "MATLAB_class")
    if kind in ("char", "cell", "function_handle") or dataset.dtype.kind not in "iufb":
        return MatOther(name, f"of the class {kind or dataset.dtype}")
    if "MATLAB_sparse" in dataset.attrs:
        return MatOther(name, "a sparse array")
    check_dataset(dataset, source)
    dtype = np.dtype("?") if kind == "logical" else dataset.dtype.newbyteorder("=")
    if "MATLAB_empty" in dataset.attrs:
        # an empty array keeps its size in place of its values
        if not 0 < math.prod(dataset.shape) <= 32:
            return MatOther(name, "an empty array without a size")
        shape = tuple(int(size) for size in np.asarray(dataset[()]).ravel())
        return Mat73Array(name, shape, dtype, "") if 0 in shape else MatOther(name, "empty")
    chunks = dataset.chunks or (1,)
    shape = tuple(reversed(dataset.shape))
    return Mat73Array(name, shape, dtype, str(dataset.name), int(max(chunks)))


def rows_of(layout: Layout, source: FileSource) -> ColumnTable:
    """Return the records of a data set as a table; its grain is the longest chunk."""
    arrays = [column.array for column in layout.columns if column.array is not None]
    grain = max((array.chunk_rows for array in arrays), default=1)
    grain = max(1, min(grain, layout.n_rows))
    reader = Mat73Reader(source, layout.n_rows)
    return ColumnTable(reader, layout.dtype, layout.n_rows, layout.columns, grain)
