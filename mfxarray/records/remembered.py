"""What opening a file found, kept in a small file: data sets whose records are streams."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray._version import __version__
from mfxarray.errors import DataError
from mfxarray.formats.localizations import descr_of
from mfxarray.formats.openers import open_measurements
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Piece, is_stream
from mfxarray.formats.zarr.meta import parse_array_meta
from mfxarray.records.cache_folder import cache_path, find_cache
from mfxarray.records.sealed_file import read_sealed, write_sealed

__all__ = ["RememberedStream", "remember", "remembered"]

_VERSION = 1
_MAGIC = b"MFXFOUND"
_SUFFIX = ".layout"
_CAP = 4 * 2**20
# what is in less is not worth a file
WORTH_BYTES = 2**20
_TEXTS = ("container", "label")


@dataclass(frozen=True)
class RememberedStream:
    """A stream that opens its file only when it is read; see `tables.Stream`.

    Attributes
    ----------
    source
        The file.
    dtype
        Structured dtype of a record.
    n_rows
        Number of records, None where it is not known before all is read.
    known_as
        Identity of the stream that the file gave.
    number
        Which of the data sets of the file it is.
    strict
        How the file was opened.
    """

    source: FileSource
    dtype: np.dtype[Any]
    n_rows: int | None
    known_as: str = field(repr=False)
    number: int
    strict: bool

    def identity(self) -> str:
        """Return the identity of the stream that the file gave: what is kept of it is found."""
        return self.known_as

    def pieces(self) -> Generator[tuple[float, Piece], None, Any]:
        """Yield what the stream of the file yields.

        Raises
        ------
        DataError
            If the file is damaged, or is not what it was.
        """
        found = open_measurements(self.source.path, strict=self.strict)
        rows = found[self.number].rows if self.number < len(found) else None
        if rows is None or not is_stream(rows) or rows.identity() != self.known_as:
            hint = "Remove the cache of the file (.mfxcache) and open it again."
            raise DataError("is not what is known of it", path=self.source.path, hint=hint)
        return (yield from rows.pieces())  # type: ignore[misc]  # a generator may return a warning


def remembered(path: str | os.PathLike[str], strict: bool) -> tuple[Measurement, ...] | None:
    """Return the data sets that an earlier opening found, None where nothing is known.

    Parameters
    ----------
    path
        The file.
    strict
        How it is to be opened.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.

    Notes
    -----
    Reads 128 kB of the file where there is a folder for caches, to see that it is unchanged.
    """
    source = FileSource.open(path)
    place = find_cache(source, _what(strict), _SUFFIX)
    body = None if place is None else read_sealed(place, _MAGIC, _CAP)
    if body is None:
        return None
    # whole; what was written by another hand must still not do harm
    try:
        entries = json.loads(body)
        found = tuple(
            _measurement(source, entry, number, strict) for number, entry in enumerate(entries)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found or None


def remember(measurements: tuple[Measurement, ...], strict: bool) -> None:
    """Keep what opening a file found, if that took long and is known without the file.

    Parameters
    ----------
    measurements
        All data sets of a file.
    strict
        How it was opened.

    Notes
    -----
    For less than 1 MB of records nothing is kept, nor for tables, which their file gives at once.
    What cannot be written is no error.
    """
    entries = [_entry(one) for one in measurements]
    known = [entry for entry in entries if entry is not None]
    if not known or len(known) < len(entries):
        return
    if sum(_n_bytes(one) for one in measurements) < WORTH_BYTES:
        return
    body = json.dumps(known).encode()
    source = measurements[0].source
    # the source may also be changed just now; whoever reads it on says so
    with suppress(DataError, OSError):
        if len(body) <= _CAP:
            write_sealed(cache_path(source, _what(strict), _SUFFIX), _MAGIC, body)


def _what(strict: bool) -> str:
    # another version may find something else in the same file
    return f"found {_VERSION} {__version__} strict={strict}"


def _n_bytes(one: Measurement) -> int:
    n_rows = one.rows.n_rows
    return one.source.size if n_rows is None else n_rows * one.rows.dtype.itemsize


def _entry(one: Measurement) -> dict[str, Any] | None:
    """Return a data set as JSON-able values, None where it cannot be one."""
    rows = one.rows
    if not is_stream(rows) or one.beads is not None or one.missing_rows:
        return None
    layout = {"zarr_format": 2, "shape": [rows.n_rows or 0], "chunks": [1], "order": "C"}
    layout |= {"dtype": descr_of(rows.dtype), "compressor": None, "fill_value": None}
    return {
        "layout": layout,
        "counted": rows.n_rows is not None,
        "identity": rows.identity(),
        "attrs": one.attrs,
        "sequence": one.sequence,
        "warnings": list(one.warnings),
        **{name: getattr(one, name) for name in _TEXTS},
    }


def _measurement(
    source: FileSource, entry: dict[str, Any], number: int, strict: bool
) -> Measurement:
    """Return a data set from what was kept; ValueError, KeyError or TypeError if it is none."""
    # the rows of a Zarr array are described, and checked, in the same way
    layout = parse_array_meta(
        json.dumps(entry["layout"]).encode(), path=source.path, place="layout"
    )
    texts = [entry[name] for name in _TEXTS]
    identity, attrs, warnings = entry["identity"], entry["attrs"], entry["warnings"]
    sound = (
        layout.dtype.names is not None
        and len(layout.shape) == 1
        and all(isinstance(text, str) for text in [identity, *texts, *warnings])
        and isinstance(attrs, dict)
        and isinstance(entry["sequence"], dict)
    )
    if not sound:
        raise ValueError("no data set")
    n_rows = layout.shape[0] if entry["counted"] else None
    stream = RememberedStream(source, layout.dtype, n_rows, identity, number, strict)
    container, label = texts
    return Measurement(
        stream,
        source,
        container,
        label,
        attrs=attrs,
        sequence=entry["sequence"],
        warnings=tuple(warnings),
    )
