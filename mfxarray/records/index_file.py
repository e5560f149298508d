"""The file in which the index of localizations is kept: small, and believed only if it is sound."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mfxarray.formats.row_facts import RowFacts
from mfxarray.formats.tables import Table
from mfxarray.kernels.record_numbers import MAX_ITERATIONS, MAX_THREADS
from mfxarray.records.record_keys import View
from mfxarray.records.regroup_index import RegroupIndex
from mfxarray.records.row_order import ORDER_CAP
from mfxarray.records.sealed_file import read_sealed, write_sealed

__all__ = ["identity_of", "load_index", "store_index"]

Array = np.ndarray[Any, Any]

# part of the identity: a change of the rule, of the facts or of this file's layout must change it
_VERSION = 2
_MAGIC = b"MFXINDEX"
_HEADER_CAP = 65_536
# marks lie at least 1000 localizations or 65536 rows apart
_MARKS_CAP = 2**21
_FILE_CAP = 2**27
_LEVEL = 1
_COUNTS = ("n_rows", "n_localizations", "n_iterations", "n_complete")
_ARRAYS = ("threads", "first", "ends", "localization", "row", "trace_start", "order")
_OPTIONAL = "order"
_STORED = np.dtype("<i8")


def identity_of(table: Table, view: View) -> str:
    """Return text that differs whenever the stored index of a table would."""
    return f"localizations {_VERSION} {view} {table.identity()}"


def store_index(path: Path, table: Table, index: RegroupIndex, facts: RowFacts) -> None:
    """Write an index, and what the rows of its localizations tell, under a name in one step.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left then.

    Notes
    -----
    Differences of neighbours, deflated: 3 to 4 bytes for some 1000 localizations.
    """
    arrays = [getattr(index, name) for name in _ARRAYS]
    lengths = [None if values is None else len(values) for values in arrays]
    header = {name: getattr(index, name) for name in _COUNTS}
    header |= {"identity": identity_of(table, index.view), "lengths": lengths}
    text = json.dumps({**header, "facts": facts.to_json()}).encode()
    if len(text) > _HEADER_CAP or not _are_few(lengths):
        return
    plain = b"".join(_packed(values) for values in arrays if values is not None)
    body = b"".join([len(text).to_bytes(8, "little"), text, zlib.compress(plain, _LEVEL)])
    write_sealed(path, _MAGIC, body)


def load_index(path: Path, table: Table, view: View) -> tuple[RegroupIndex, RowFacts] | None:
    """Return the stored index and facts of a table, None where none is whole and fits."""
    body = read_sealed(path, _MAGIC, _FILE_CAP)
    if body is None:
        return None
    # whole; what was written by another hand must still not do harm
    try:
        index, facts = _parsed(body, table, view)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, zlib.error):
        return None
    return (index, facts) if _is_sound(index, table) else None


def _packed(values: Array) -> bytes:
    """Return differences, byte 0 of all first: they deflate well, as most bytes are equal."""
    steps = np.diff(values.astype(_STORED), prepend=_STORED.type(0))
    return steps.astype(_STORED).view(np.uint8).reshape(-1, _STORED.itemsize).T.tobytes()


def _unpacked(plain: bytes, start: int, count: int) -> Array:
    size = _STORED.itemsize
    lanes = np.frombuffer(plain, np.uint8, count * size, start).reshape(size, count)
    steps = np.ascontiguousarray(lanes.T).view(_STORED).reshape(count)
    return np.cumsum(steps, dtype=np.int64)


def _parsed(body: bytes, table: Table, view: View) -> tuple[RegroupIndex, RowFacts]:
    length = int.from_bytes(body[:8], "little")
    if length > _HEADER_CAP:
        raise ValueError("a header that is too long")
    header = json.loads(body[8 : 8 + length])
    counts, lengths = [header[name] for name in _COUNTS], header["lengths"]
    plausible = (
        header["identity"] == identity_of(table, view)
        and all(type(count) is int for count in counts)
        and len(lengths) == len(_ARRAYS)
        and _are_few(lengths)
    )
    if not plausible:
        raise ValueError("another index, or none")
    arrays = _arrays(body[8 + length :], lengths)
    index = RegroupIndex(view, *counts, **arrays)  # type: ignore[arg-type]
    return index, RowFacts.from_json(header["facts"], index.n_iterations)


def _are_few(lengths: list[int | None]) -> bool:
    """Tell whether arrays of these lengths are all there and small enough for memory."""
    return all(
        name == _OPTIONAL
        if length is None
        else type(length) is int and 0 <= length <= (ORDER_CAP if name == _OPTIONAL else _MARKS_CAP)
        for name, length in zip(_ARRAYS, lengths, strict=True)
    )


def _arrays(packed: bytes, lengths: list[int | None]) -> dict[str, Array | None]:
    total = sum(length or 0 for length in lengths) * _STORED.itemsize
    inflator = zlib.decompressobj()
    plain = inflator.decompress(packed, total + 1)
    if len(plain) != total or not inflator.eof or inflator.unused_data:
        raise ValueError("arrays of other lengths")
    arrays: dict[str, Array | None] = {}
    place = 0
    for name, length in zip(_ARRAYS, lengths, strict=True):
        arrays[name] = None if length is None else _unpacked(plain, place, length)
        place += (length or 0) * _STORED.itemsize
    starts = arrays["trace_start"]
    if starts is None or not _within(starts, 0, 2):
        raise ValueError("flags that are none")
    return {**arrays, "trace_start": starts.astype(np.bool_)}


def _is_sound(index: RegroupIndex, table: Table) -> bool:
    """Tell whether an index can be one of this table; reading by it then stays within bounds."""
    n_rows, n_threads = table.n_rows, len(index.threads)
    limit = n_rows if index.order is None else len(index.order)
    marks = (index.localization, index.row, index.trace_start)
    return (
        index.n_rows == n_rows
        and 0 <= index.n_complete <= index.n_localizations <= n_rows
        and 1 <= index.n_iterations <= MAX_ITERATIONS
        and len({len(array) for array in marks}) == 1
        and len(index.first) == len(index.ends) == n_threads
        and (n_threads > 0) == (index.n_localizations > 0)
        and _rises(index.threads, 0, MAX_THREADS)
        and _rises(index.localization, 0, index.n_localizations)
        and _rises(index.first, 0, index.n_localizations)
        and (n_threads == 0 or index.first[0] == 0)
        and _are_among(index.first, index.localization)
        and _within(index.row, 0, limit)
        and _within(index.ends, 0, limit + 1)
        and (index.order is None or _within(index.order, 0, n_rows))
    )


def _are_among(values: Array, rising: Array) -> bool:
    if not len(rising):
        return not len(values)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    return bool(np.all(rising[places] == values))


def _rises(values: Array, low: int, high: int) -> bool:
    return _within(values, low, high) and bool(np.all(values[1:] > values[:-1]))


def _within(values: Array, low: int, high: int) -> bool:
    return bool(np.all((values >= low) & (values < high)))
