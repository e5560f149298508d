"""One-dimensional Zarr arrays of format 2 as tables of records, over any store of keys."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.keys import KeyStore
from mfxarray.formats.tables import Path
from mfxarray.formats.zarr.chunks import read_chunk
from mfxarray.formats.zarr.meta import ArrayMeta, parse_array_meta

__all__ = ["MissingChunks", "ZarrTable", "open_table"]

Array = np.ndarray[Any, Any]
Ranges = tuple[tuple[int, int], ...]

# more than `parse_array_meta` takes, so that it says so
_META_CAP = 5 * 2**20
# parts of larger chunks are unpacked for themselves, see `zarr_chunks.read_chunk`
_GRAIN_BYTES = 32 * 2**20
_PART_BYTES = 4 * 2**20
_STRICT_HINT = "Copy the store again, or give strict=False to read the rest with fill values."


@dataclass(frozen=True)
class ZarrTable:
    """Records in the chunks of one array; holds no handle and travels to any worker.

    Attributes
    ----------
    keys
        The store.
    array
        Key of the array, such as ``mfx``.
    meta
        Its layout.
    fill_missing
        Whether a missing chunk reads as the fill value instead of being an error.
    """

    keys: KeyStore
    array: str
    meta: ArrayMeta
    fill_missing: bool = False
    columnar: ClassVar[bool] = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a record as stored."""
        return self.meta.dtype

    @property
    def n_rows(self) -> int:
        """Number of records."""
        return self.meta.shape[0]

    @property
    def grain(self) -> int:
        """Rows of a chunk; of chunks over 32 MiB, rows of 4 MiB, as parts of them can be read."""
        if self.meta.compressor == "blosc" and self.meta.chunk_bytes > _GRAIN_BYTES:
            return max(1, _PART_BYTES // self.dtype.itemsize)
        return self.meta.chunks[0]

    def identity(self) -> str:
        """Return store, array and layout as text."""
        return f"{self.keys.identity()} {self.array} {self.meta!r} {self.fill_missing}"

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field of records ``start`` to ``stop``, as stored."""
        found = self.read(start, stop)
        for name in path:
            found = found[name]
        return found

    def read(self, start: int, stop: int) -> Array:
        """Return records ``start`` to ``stop`` (exclusive), shape (stop - start,).

        Raises
        ------
        DataError
            If a chunk is damaged, or missing and not to be filled.

        Notes
        -----
        Every chunk that holds some of the rows is unpacked once, whole ones straight into the
        result.
        """
        if not 0 <= start <= stop <= self.n_rows:
            raise ValueError(f"rows {start} to {stop} are not within 0 to {self.n_rows}")
        rows = np.empty(stop - start, self.dtype)
        if not rows.size:
            return rows
        plain = rows.view(np.uint8)
        width, length = self.dtype.itemsize, self.meta.chunks[0]
        for number in range(start // length, -(-stop // length)):
            low, high = max(start, number * length), min(stop, (number + 1) * length)
            part = plain[(low - start) * width : (high - start) * width]
            self._fill(number, (low - number * length) * width, part)
        return rows

    def _fill(self, number: int, offset: int, part: Array) -> None:
        key = f"{self.array}/{number}"
        if self.keys.size(key) is not None:
            read_chunk(self.keys, key, self.meta.compressor, self.meta.chunk_bytes, offset, part)
        elif self.fill_missing:
            part.reshape(-1, self.dtype.itemsize)[:] = np.frombuffer(self.meta.fill, np.uint8)
        else:
            raise _missing(self, (number, number + 1))


@dataclass(frozen=True)
class MissingChunks:
    """Chunks that a store should hold and does not.

    Attributes
    ----------
    rows
        Ranges of rows (start, stop) that they would hold.
    n_missing, n_chunks
        How many, of how many.
    """

    rows: Ranges
    n_missing: int
    n_chunks: int


def open_table(
    keys: KeyStore, array: str, *, strict: bool = True
) -> tuple[ZarrTable, MissingChunks]:
    """Return an array of records and what is missing of it.

    Parameters
    ----------
    keys
        The store.
    array
        Key of the array, such as ``mfx``.
    strict
        Whether a missing chunk is an error.

    Raises
    ------
    DataError
        If the array is missing, damaged, no list of records, or lacks chunks (all but 1 % of
        them, or any if ``strict``).

    Notes
    -----
    Reads ``.zarray``; chunks are looked for among the keys and not read.
    """
    key = f"{array}/.zarray"
    text = keys.read(key, 0, min(keys.size(key) or 0, _META_CAP))
    meta = parse_array_meta(text, path=keys.source.path, place=key)
    if len(meta.shape) != 1:
        message = f"is an array of {len(meta.shape)} dimensions, not a list of records"
        raise DataError(message, path=keys.source.path, place=key)
    if meta.dtype.names is None:
        message = f"holds plain values of type {meta.dtype}, not records"
        raise DataError(message, path=keys.source.path, place=key)
    table = ZarrTable(keys, array, meta, fill_missing=not strict)
    n_chunks = -(-meta.shape[0] // meta.chunks[0])
    gaps = _gaps(_present(keys, array, n_chunks), n_chunks)
    if gaps and strict:
        raise _missing(table, gaps[0])
    n_missing = sum(stop - start for start, stop in gaps)
    # a header that lies about the number of rows must not start a march through nothing
    if n_missing > 99 * (n_chunks - n_missing) and n_chunks > 1000:
        raise _missing(table, gaps[0], "Copy or export it again.")
    return table, MissingChunks(tuple(_rows(table, gap) for gap in gaps), n_missing, n_chunks)


def _present(keys: KeyStore, array: str, n_chunks: int) -> list[int]:
    """Return the numbers of the chunks that are there, in order; other keys are ignored."""
    prefix, names = f"{array}/", set(keys.keys())
    if n_chunks <= len(names) and names.issuperset(map(prefix.__add__, map(str, range(n_chunks)))):
        return list(range(n_chunks))  # as a rule, so it is made quick
    # the text may claim any number of chunks: there are no more of them than keys
    candidates = range(n_chunks) if n_chunks <= len(names) else _numbers(prefix, names, n_chunks)
    return [number for number in candidates if f"{prefix}{number}" in names]


def _numbers(prefix: str, names: set[str], n_chunks: int) -> list[int]:
    own = (key[len(prefix) :] for key in names if key.startswith(prefix))
    found = {int(name) for name in own if len(name) < 20 and name.isascii() and name.isdigit()}
    return sorted(number for number in found if number < n_chunks)


def _gaps(present: list[int], n_chunks: int) -> list[tuple[int, int]]:
    if len(present) == n_chunks:
        return []
    edges = [-1, *present, n_chunks]
    return [(low + 1, high) for low, high in pairwise(edges) if high > low + 1]


def _rows(table: ZarrTable, chunks: tuple[int, int]) -> tuple[int, int]:
    length = table.meta.chunks[0]
    return chunks[0] * length, min(chunks[1] * length, table.n_rows)


def _missing(table: ZarrTable, chunks: tuple[int, int], hint: str = _STRICT_HINT) -> DataError:
    start, stop = _rows(table, chunks)
    name = f"{table.array}/{chunks[0]}"
    message = f"chunk {name} is missing, and with it rows {start} to {stop} of {table.n_rows}"
    return DataError(message, path=table.keys.source.path, place=f"key {name}", hint=hint)
