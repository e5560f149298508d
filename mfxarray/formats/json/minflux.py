"""MINFLUX localizations in ``.json`` files of all generations."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.blocks import RECORD_CAP
from mfxarray.formats.json.layout import Layout, learn_layout
from mfxarray.formats.json.stream import JsonStream
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.json.walk import DEPTH_CAP, ListStart, TruncatedError, find_list, looks_cut
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement
from mfxarray.kernels.json.split import (
    BROKEN,
    DEEP,
    LIST_END,
    MORE,
    RECORD_OR_END,
    split_records,
)

__all__ = ["open_json"]

_HEAD_BYTES = 2**18
_HEAD_RECORDS = 256


def open_json(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return the one data set of a JSON file of MINFLUX records.

    Parameters
    ----------
    path
        A list of records, or an object that holds one under ``mfx``, ``records`` or ``data``.
    strict
        Whether a file that ends too early is an error, or is read up to its last whole record.

    Returns
    -------
    tuple of Measurement
        One, whose ``rows`` is a `JsonStream`. ``warnings`` name the fields that are not carried
        and say whether the file is cut off.

    Raises
    ------
    DataError
        If the file holds no MINFLUX records, or (strict) does not end as it should.

    Notes
    -----
    Reads the first 256 kB and the last 64 kB. Fields have the vendor's types, unknown ones those
    that hold the values of the first records. The tokens NaN, Infinity and null are accepted as
    numbers; a number beyond the largest double is infinite, as in Python's json. Of the 2021
    format, positions get a z of 0 and every record is valid.
    """
    source = FileSource.open(path)
    start = find_list(source)
    warnings = []
    if looks_cut(source, start.keys):
        message = "is cut off: its last byte closes neither the list nor the object around it"
        if strict:
            raise TruncatedError(
                message,
                path=source.path,
                place=f"offset {source.size}",
                hint="Copy or export it again, or give strict=False to read the whole records.",
            )
        warnings.append(f"the file {message}; what follows its last whole record is missing")
    layout = learn_layout(_first_records(source, start), source)
    if layout.dropped:
        names = ", ".join(".".join(name) for name in layout.dropped)
        warnings.append(f"fields that are no numbers are left out: {names[:400]}")
    rows = JsonStream(source, layout, start, strict)
    return (Measurement(rows, source, "json", attrs=_attrs(layout), warnings=tuple(warnings)),)


def _attrs(layout: Layout) -> dict[str, Any]:
    return {"z_scaling": 1.0, "container_version": layout.model}


def _first_records(source: FileSource, start: ListStart) -> list[dict[str, Any]]:
    """Return some records of the beginning; those after the first count only if they are sound."""
    starts, ends = np.empty((2, _HEAD_RECORDS), np.int64)
    size = _HEAD_BYTES
    while True:
        count = min(size, source.size - start.offset)
        head = source.read(start.offset, count) + b"\0"
        # writable like the blocks of the stream, so that the kernel is compiled once
        text = np.frombuffer(bytearray(head), np.uint8)
        found, used, _, reason = split_records(text, 0, RECORD_OR_END, DEPTH_CAP, starts, ends)
        if found or reason != MORE or count < size or size >= RECORD_CAP:
            break
        size *= 2
    if not found:
        raise _no_record(source, start.offset + int(used), reason)
    first = _record(head, starts[0], ends[0], source, start)
    records = [first]
    for number in range(1, int(found)):
        try:
            records.append(_record(head, starts[number], ends[number], source, start))
        except DataError:
            break  # the stream tells which record it is
    return records


def _record(
    head: bytes, begin: int, end: int, source: FileSource, start: ListStart
) -> dict[str, Any]:
    place = f"offset {start.offset + int(begin)}"
    found: dict[str, Any] = parse_json(head[begin:end], path=source.path, place=place)
    return found


def _no_record(source: FileSource, offset: int, reason: int) -> DataError:
    message = {
        LIST_END: "holds an empty list: without a record its fields are unknown",
        BROKEN: "is no list of records: expected { here",
        DEEP: f"JSON nests deeper than {DEPTH_CAP} levels",
    }.get(reason, f"ends within its first record, or that is larger than {RECORD_CAP} bytes")
    return DataError(message, path=source.path, place=f"record 0, offset {offset}")
