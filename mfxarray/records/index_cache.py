"""The localizations of flat records, known from a small file while their source is unchanged."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mfxarray.errors import DataError
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Table
from mfxarray.records.cache_folder import cache_path
from mfxarray.records.index_file import identity_of, load_index, store_index
from mfxarray.records.progress import Teller
from mfxarray.records.record_keys import Progress, View
from mfxarray.records.regroup import Regrouped
from mfxarray.records.regroup_index import RegroupIndex, build_index

__all__ = ["cached_localizations", "index_path"]

_SUFFIX = ".localizations"
# the index of less is made faster than it is looked up
WORTH_BYTES = 16 * 2**20
# localizations are looked at in so many places; each costs unpacking the chunks around it
_WINDOWS = 4


def cached_localizations(
    measurement: Measurement | Table,
    source: FileSource,
    view: View = "valid",
    progress: Progress | None = None,
) -> tuple[Regrouped, RowFacts]:
    """Return flat records as localizations, and what their values tell.

    Parameters
    ----------
    measurement
        A data set whose rows are a table of flat records, or such a table.
    source
        The file for which the index is kept.
    view
        "valid" or "all".
    progress
        Is told the share of the work that is done, where the index must be built; the option
        ``progress`` decides if not given.

    Raises
    ------
    DataError, PlanError
        See `build_index` and `look_at`.
    ValueError
        If the rows are a stream, which must be copied into a table first.

    Notes
    -----
    Index and facts come from the cache where it is there and still holds; no record is read then.
    Stored they cost 3 to 4 bytes for some 1000 localizations, and up to 8 bytes a row where traces
    are interleaved. A damaged file is made again; one that cannot be stored is not an error. For
    less than 16 MB of records nothing is stored.
    """
    table = _table(measurement)
    if table.n_rows * table.dtype.itemsize < WORTH_BYTES:
        index = build_index(table, view=view, progress=progress, path=source.path)
        return _looked_at(table, index, source)
    path = index_path(table, source, view)
    found = None if path is None else load_index(path, table, view)
    if found is not None:
        return Regrouped(table, found[0]), found[1]
    records, facts = _looked_at(table, _built(table, source, view, progress), source)
    if path is not None:
        with suppress(OSError):
            store_index(path, table, records.index, facts)
    return records, facts


def index_path(table: Table, source: FileSource, view: View) -> Path | None:
    """Return where the index of a table is kept, None where nothing can be kept."""
    try:
        return cache_path(source, identity_of(table, view), _SUFFIX)
    except (DataError, OSError):
        # the pass over the records says what is wrong with the source, if anything is
        return None


def _table(measurement: Measurement | Table) -> Table:
    rows = measurement.rows if isinstance(measurement, Measurement) else measurement
    if not hasattr(rows, "read"):
        raise ValueError("the rows are a stream; copy them into a table of columns first")
    table: Table = rows  # type: ignore[assignment]
    return table


def _built(table: Table, source: FileSource, view: View, progress: Progress | None) -> RegroupIndex:
    if progress is not None:
        return build_index(table, view=view, progress=progress, path=source.path)
    teller = Teller(f"finding the localizations of {os.path.basename(source.path)}")
    index = build_index(table, view=view, progress=teller.tell, path=source.path)
    teller.finish()
    return index


def _looked_at(table: Table, index: RegroupIndex, source: FileSource) -> tuple[Regrouped, RowFacts]:
    records = Regrouped(table, index)
    return records, look_at(records, source, _WINDOWS)
