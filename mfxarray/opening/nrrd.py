"""OpenMIMS files, opened for `open_mims`, and what was done to them before."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import xarray as xr

from mfxarray.formats.im.im import ImFile
from mfxarray.formats.nrrd.header import read_nrrd_header
from mfxarray.formats.nrrd.nrrd import PROVENANCE_KEY, nrrd_images, was_corrected
from mfxarray.formats.sources import FileSource
from mfxarray.provenance import ATTRIBUTE, history, record, was_done
from mfxarray.records.unpacked import unpacked_range

__all__ = ["mark_corrected", "open_nrrd_images"]

_MOST_TEXT = 2**20

Path = str | os.PathLike[str]


def open_nrrd_images(
    path: Path, *, integers: bool = True, roll: tuple[int, int] | str = (0, 0)
) -> ImFile:
    """Return an opened OpenMIMS file, and warn of what does not fit together in it.

    Parameters
    ----------
    path
        A ``.nrrd`` file, or a ``.nhdr`` header beside its pixels.
    integers
        Promise unsigned integers, see `nrrd_images`; else float64 as stored.
    roll
        See `open_mims`.

    Raises
    ------
    DataError
        If the file is damaged or of another kind.

    Warns
    -----
    UserWarning
        If something in the header does not fit together.

    Notes
    -----
    Raw pixels are read from where they are, gzip is unpacked once into the cache.
    """
    header = read_nrrd_header(path)
    file = nrrd_images(header, _inflate, integers=integers, roll=roll)
    for message in file.warnings:
        warnings.warn(f"{header.source.path}: {message}", stacklevel=3)
    return file


def mark_corrected(counts: xr.DataArray) -> xr.DataArray:
    """Return counts whose record has the steps that were done before they were written.

    Those are the steps that `write_nrrd` put into the file, and the corrections that OpenMIMS took,
    so that neither is done a second time.
    """
    attrs = {str(key): value for key, value in counts.attrs.items()}
    steps = [*_earlier(attrs["nrrd_keys"]), *history(attrs)]
    attrs[ATTRIBUTE] = json.dumps(steps, sort_keys=True)
    for step in was_corrected(attrs):
        if not was_done(attrs, step):
            attrs = {str(k): v for k, v in record(attrs, step, {"by": "OpenMIMS"}).items()}
    return counts.assign_attrs(attrs)


def _earlier(keys: dict[str, str]) -> list[dict[str, Any]]:
    """Return the steps that stand in the file; none where they are not what we write."""
    text = keys.get(PROVENANCE_KEY, "[]")
    try:
        steps = json.loads(text) if len(text) <= _MOST_TEXT else []
    except (ValueError, RecursionError):
        return []
    whole = isinstance(steps, list) and all(
        isinstance(step, dict)
        and isinstance(step.get("step"), str)
        and isinstance(step.get("parameters"), dict)
        for step in steps
    )
    return steps if whole else []


def _inflate(source: FileSource, offset: int, n_bytes: int) -> FileSource:
    return unpacked_range(source, "gzip", offset, n_bytes)
