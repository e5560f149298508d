"""What the values of a columnar cache tell, kept because looking means unpacking all columns."""

from __future__ import annotations

import json
from contextlib import suppress

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import check_layout
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Table
from mfxarray.records.cache_folder import cache_path
from mfxarray.records.sealed_file import read_sealed, write_sealed

__all__ = ["cached_facts"]

# part of the identity: a change of the facts, or of how they are found, must change it
_VERSION = 1
_MAGIC = b"MFXFACTS"
_SUFFIX = ".facts"
_CAP = 65_536
# less is looked at faster than it is looked up
WORTH_BYTES = 16 * 2**20


def cached_facts(table: Table, source: FileSource) -> RowFacts:
    """Return what the values of a table tell, from the cache where it is there and still holds.

    Parameters
    ----------
    table
        The records.
    source
        The file for which the facts are kept.

    Raises
    ------
    DataError
        See `look_at`.

    Notes
    -----
    A damaged file is made again; one that cannot be stored is not an error. For less than 16 MB of
    records nothing is stored.
    """
    if table.n_rows * table.dtype.itemsize < WORTH_BYTES:
        return look_at(table, source)
    try:
        path = cache_path(source, f"facts {_VERSION} {table.identity()}", _SUFFIX)
    except (DataError, OSError):
        # the records say what is wrong with the source, if anything is
        return look_at(table, source)
    n_iterations = check_layout(source, table.dtype) or 0
    body = read_sealed(path, _MAGIC, _CAP)
    # an empty text is no JSON, and a ValueError too
    with suppress(ValueError, RecursionError):
        return RowFacts.from_json(json.loads(body or b""), n_iterations)
    facts = look_at(table, source)
    with suppress(OSError):
        write_sealed(path, _MAGIC, json.dumps(facts.to_json()).encode())
    return facts
