"""The data sets of a file, remembered where finding them takes long."""

from __future__ import annotations

import os

from mfxarray.formats.openers import open_measurements
from mfxarray.formats.sniff import sniff
from mfxarray.formats.tables import Measurement

__all__ = ["measurements_of"]

# deflated structs of mat must be inflated to learn what is in them, JSON waits for a compiler
_SLOW = ("mat", "json")


def measurements_of(
    path: str | os.PathLike[str], *, strict: bool = True, units: str | None = None
) -> tuple[Measurement, ...]:
    """Return all data sets of a file or folder; their records stay where they are.

    Parameters
    ----------
    path, strict, units
        As for `open_measurements`.

    Raises
    ------
    DataError, ValueError
        As `open_measurements`.

    Notes
    -----
    What is found in a deflated ``.mat`` or a JSON file is kept in the cache of the file, and used
    while the file is unchanged.
    """
    kind = sniff(path)
    if kind not in _SLOW or units is not None:
        return open_measurements(path, strict=strict, units=units, kind=kind)
    from mfxarray.records.remembered import remember, remembered

    found = remembered(path, strict)
    if found is None:
        found = open_measurements(path, strict=strict, kind=kind)
        remember(found, strict)
    return found
