"""MINFLUX records in ``.npy`` files as Imspector exports them, nested (v1) or flat (v2)."""

from __future__ import annotations

import os

from mfxarray.formats.npy.header import read_header
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.formats.tables import Measurement

__all__ = ["open_npy"]


def open_npy(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return the one data set of an ``.npy`` file; its records stay on disk.

    Parameters
    ----------
    path
        The file.
    strict
        Refuse a truncated file; if off, its whole rows are given and the others listed in
        ``missing_rows``.

    Raises
    ------
    DataError
        If the file is damaged, truncated, or holds no records.

    Notes
    -----
    Reads the header only, at most 64 kB.
    """
    source = FileSource.open(path)
    header = read_header(source, strict=strict)
    records = RecordSource(source, header.offset, header.dtype, header.n_rows)
    missing = ((header.n_rows, header.n_promised),) if header.n_promised > header.n_rows else ()
    warnings = tuple(
        f"the file is truncated: rows {start} to {stop} of {stop} are missing"
        for start, stop in missing
    )
    return (Measurement(records, source, "npy", missing_rows=missing, warnings=warnings),)
