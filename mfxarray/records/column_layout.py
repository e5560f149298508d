"""How a table of records lies in a columnar cache: a Zarr group with one array for each field.

Every number of a field (one iteration, one axis) is a column of its own: chunks hold 65536 rows
of one column, and up to 64 chunks lie one after the other in a shard, so files are few and large.

References
----------
Zarr version 3 and its sharding codec 1.0: a shard is its chunks and then, at the end, an index of
(offset, bytes) for each of them, two uint64, all bits set where a chunk is absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.tables import Path

__all__ = [
    "CODEC",
    "INDEX_DTYPE",
    "SHARD_CHUNKS",
    "Leaf",
    "array_metadata",
    "group_metadata",
    "leaves",
    "rows_of_a_chunk",
]

SHARD_CHUNKS = 64
INDEX_DTYPE = np.dtype("<u8")
# lz4 with byte shuffle was about twice as fast as zstd of level 1 on real records, at equal size
CODEC: dict[str, Any] = {"cname": "lz4", "clevel": 5, "shuffle": 1}
_CHUNK_ROWS = 65_536
_LEAST_ROWS = 1_024
# one chunk of every column is filled while another is being written
_BUFFER_BYTES = 40 * 2**20
_COLUMN_CAP = 65_536


@dataclass(frozen=True)
class Leaf:
    """A field without parts of its own, and the name of its array.

    Attributes
    ----------
    path
        Names that lead to the field.
    dtype
        Type of one number, as in the record.
    shape
        Sizes after the rows.
    name
        Name of the array, a plain name that any file system takes.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    name: str

    @property
    def stored(self) -> np.dtype[Any]:
        """Type in the store, little-endian."""
        return self.dtype.newbyteorder("<")


def leaves(dtype: np.dtype[Any], source: object) -> tuple[Leaf, ...]:
    """Return all fields of a record.

    Parameters
    ----------
    dtype
        Structured dtype.
    source
        The file, for the error.

    Raises
    ------
    DataError
        If a field holds no numbers, or there are more than 65536 columns.
    """
    found: list[Leaf] = []
    taken: set[str] = set()
    for path, base, shape in _walk(dtype, (), ()):
        if (
            base.kind not in "biufc"
            or base.itemsize > 16
            or base.newbyteorder("=").name not in _KINDS
        ):
            hint = "Export it without this field."
            message = f"field {'.'.join(path)!r} has type {base}, which no cache holds"
            raise DataError(message, path=source, hint=hint)
        name = _plain_name(path, taken)
        taken.add(name.lower())
        found.append(Leaf(path, base, shape, name))
    if sum(prod(leaf.shape) for leaf in found) > _COLUMN_CAP:
        message = f"its records have more than {_COLUMN_CAP} numbers each"
        raise DataError(message, path=source, hint="The file is damaged.")
    return tuple(found)


_KINDS = {"bool", "float16", "float32", "float64", "complex64", "complex128"}
_KINDS |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_Field = tuple[Path, np.dtype[Any], tuple[int, ...]]


def _walk(dtype: np.dtype[Any], path: Path, shape: tuple[int, ...]) -> Iterator[_Field]:
    for name in dtype.names or ():
        base, extent = dtype[name].subdtype or (dtype[name], ())
        if base.names is None:
            yield (*path, name), base, (*shape, *extent)
        else:
            yield from _walk(base, (*path, name), (*shape, *extent))


def _plain_name(path: Path, taken: set[str]) -> str:
    """Return a name like "itr.loc", with no letter that a file system or Zarr could object to."""
    name = re.sub(r"[^A-Za-z0-9_.]", "_", ".".join(path))[:100].strip("._") or "field"
    while name.lower() in taken or name == "zarr.json":
        name += "-"
    return name


def rows_of_a_chunk(dtype: np.dtype[Any], n_rows: int | None) -> int:
    """Return the rows of a chunk: 65536, fewer for large records and for small tables."""
    rows = _CHUNK_ROWS
    while rows > 1 and rows * dtype.itemsize > _BUFFER_BYTES:
        rows //= 2
    while n_rows is not None and rows > _LEAST_ROWS and rows // 2 >= n_rows:
        rows //= 2
    return rows


def group_metadata(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the ``zarr.json`` of the group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attrs}


def array_metadata(leaf: Leaf, n_rows: int, chunk_rows: int) -> dict[str, Any]:
    """Return the ``zarr.json`` of the array of a field."""
    ones = [1] * len(leaf.shape)
    order = {"name": "bytes", "configuration": {"endian": "little"}}
    shuffle = {"shuffle": "shuffle" if leaf.dtype.itemsize > 1 else "noshuffle"}
    blosc = {**CODEC, **shuffle, "typesize": leaf.dtype.itemsize, "blocksize": 0}
    sharding = {
        "chunk_shape": [chunk_rows, *ones],
        "codecs": [order, {"name": "blosc", "configuration": blosc}],
        "index_codecs": [order],
        "index_location": "end",
    }
    shard = {"chunk_shape": [chunk_rows * SHARD_CHUNKS, *ones]}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [n_rows, *leaf.shape],
        "data_type": leaf.dtype.newbyteorder("=").name,
        "chunk_grid": {"name": "regular", "configuration": shard},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _fill_value(leaf.dtype),
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {"field": list(leaf.path)},
        "storage_transformers": [],
    }


def _fill_value(dtype: np.dtype[Any]) -> Any:
    plain = np.zeros((), dtype).item()
    return [0.0, 0.0] if isinstance(plain, complex) else plain
