"""Sessions of pyMINFLUX (``.pmx``): the records that were left when the session was saved."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.hdf5 import check_dataset, children, member, opened, text_attr
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.pmx.tables import PmxRecords, frame_table
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Table

__all__ = ["open_pmx"]

_VERSIONS = ("1.0", "2.0", "3.0")
_VALUES_CAP = 1000
_JSON_ATTRS = ("fluorophore_names", "tid_offsets")
_NOTE = (
    "saved from a pyMINFLUX session: only the rows that survived its filters are inside, "
    "not the whole acquisition"
)
_HINT = "Versions 1.0, 2.0 and 3.0 of pyMINFLUX are read; save the session again."


def open_pmx(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return the one data set of a ``.pmx`` file.

    Parameters
    ----------
    path
        The file.
    strict
        Accepted for all containers alike; a damaged HDF5 file has no part that could be trusted.

    Returns
    -------
    tuple of Measurement
        One. Its records are nested (``raw/npy``) or flat (``raw/df``), in metres and unscaled,
        with the fields ``fluo`` and, in version 3, ``iid`` of pyMINFLUX. What the session had set
        is in ``attrs["pmx_parameters"]``.

    Raises
    ------
    DataError
        If the file is damaged, of an unknown version, has links or values in other files, or if
        h5py is not installed.

    Notes
    -----
    Reads headers only. The table for ParaView is not used: it follows from the records.
    """
    source = FileSource.open(path)
    with opened(source) as file:
        version = text_attr(file, "file_version", source=source)
        if version not in _VERSIONS:
            raise DataError(
                f"is no .pmx file of a known version (file_version {version!r})",
                path=source.path,
                hint=_HINT,
            )
        rows = _rows(file, source)
        attrs = {
            "container_version": version,
            "z_scaling": 1.0,
            "note": _NOTE,
            "pmx_parameters": _parameters(file, source),
        }
        if "reader_version" in file.attrs:
            attrs["reader_version"] = int(np.asarray(file.attrs["reader_version"]).ravel()[0])
    return (Measurement(rows, source, "pmx", attrs=attrs),)


def _rows(file: Any, source: FileSource) -> Table:
    records, frame = member(file, "raw/npy", source), member(file, "raw/df", source)
    found = frame if records is None else records
    if not hasattr(found, "chunks"):
        message = "holds no records; expected raw/npy or raw/df"
        raise DataError(message, path=source.path, hint=_HINT)
    check_dataset(found, source)
    if found is frame:
        names = text_attr(frame, "column_names", source=source)
        types = text_attr(frame, "column_types", source=source)
        return frame_table(frame, names, types, source)
    return PmxRecords.of(records, source)


def _parameters(file: Any, source: FileSource) -> dict[str, Any]:
    """Return the numbers and texts under "parameters"; anything else is left out."""
    group = member(file, "parameters", source)
    if not hasattr(group, "keys"):
        return {}
    found: dict[str, Any] = {}
    for name, child in children(group, source):
        if not hasattr(child, "shape") or child.dtype.kind not in "iufb":
            continue
        if math.prod(child.shape or (1,)) <= _VALUES_CAP:
            check_dataset(child, source)
            found[name] = np.asarray(child[()]).tolist()
    for name in _JSON_ATTRS:
        text = text_attr(group, name, source=source)
        if isinstance(text, str) and text[:1] in ("{", "["):
            found[name] = parse_json(text, path=source.path, place=f"parameters {name}")
        elif text is not None:
            found[name] = text
    return found
