"""MINFLUX archives of Imspector: what lies where in the store of keys."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.keys import KeyStore
from mfxarray.formats.tables import Measurement
from mfxarray.formats.zarr.attrs import read_attrs
from mfxarray.formats.zarr.beads import ZarrBeads, open_beads
from mfxarray.formats.zarr.keys import open_folder, open_zip
from mfxarray.formats.zarr.v2 import MissingChunks, open_table

__all__ = ["open_store", "open_zarr_v2"]

_RECORDS = "mfx"
_NEEDED = ("itr", "tid")
# attributes of the records that are kept as they are, and what they must be
_KEPT: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("did", str),
    ("acquisition_date", str),
    ("tms", (int, float)),
    ("fld", object),
)


def open_zarr_v2(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return the data set of an unpacked or zipped MINFLUX archive.

    Parameters
    ----------
    path
        The folder that contains ``zarr``, the folder ``zarr``, ``zarr/mfx``, or a zip archive.
    strict
        Whether missing chunks are an error.

    Returns
    -------
    tuple of Measurement
        Always one.

    Raises
    ------
    DataError
        See `open_store`, `open_folder` and `open_zip`.
    """
    if os.path.isdir(path):
        return (open_store(open_folder(path), "zarr", strict=strict),)
    return (open_store(open_zip(path), "zarr zip", strict=strict),)


def open_store(
    keys: KeyStore, container: str, *, label: str = "P1", strict: bool = True
) -> Measurement:
    """Return the data set of an archive, whatever holds its keys.

    Parameters
    ----------
    keys
        The archive, keys relative to its folder ``zarr``.
    container
        Name of what holds it: "zarr", "zarr zip" or "msr".
    label
        Name of the data set.
    strict
        Whether missing chunks are an error. Otherwise they read as the fill value, their rows are
        in ``missing_rows``, and damaged attributes or beads become warnings.

    Raises
    ------
    DataError
        If there are no records, or the archive is damaged.

    Notes
    -----
    Reads attributes, some 50 kB; no records and no bead samples.

    References
    ----------
    Layouts of m2205 and m2410 as ``specpy.File.unpack`` writes them.
    """
    if keys.size(f"{_RECORDS}/.zarray") is None:
        hint = "Export the MINFLUX data set from Imspector again."
        raise DataError("holds no MINFLUX records (mfx/.zarray)", path=keys.source.path, hint=hint)
    table, missing = open_table(keys, _RECORDS, strict=strict)
    lacking = [name for name in _NEEDED if name not in (table.dtype.names or ())]
    if lacking:
        message = f"records lack the field {lacking[0]}: {', '.join(table.dtype.names or ())[:80]}"
        raise DataError(message, path=keys.source.path, place=f"{_RECORDS}/.zarray")
    found = Measurement(
        rows=table,
        source=keys.source,
        container=container,
        label=label,
        missing_rows=missing.rows,
        warnings=_chunk_warning(missing, "records", "read as the fill value"),
    )
    return _with_beads(_with_attrs(found, keys, strict), keys, strict)


def _with_attrs(found: Measurement, keys: KeyStore, strict: bool) -> Measurement:
    own, first = _attrs(keys, f"{_RECORDS}/.zattrs", strict)
    root, second = _attrs(keys, ".zattrs", strict)
    attrs: dict[str, Any] = {"z_scaling": 1.0}
    for name, kind in _KEPT:
        if name in own and isinstance(own[name], kind):
            attrs[name] = own[name]
    if isinstance(root.get("rois"), list):
        attrs["rois"] = root["rois"]
    if "version" in root:
        attrs["container_version"] = str(root["version"])[:40]
    measurement = own.get("measurement")
    sequence = dict(measurement) if isinstance(measurement, dict) else {}
    if "dimensionality" in sequence:
        attrs["dimensionality"] = sequence["dimensionality"]
    if "_legacy" in own:
        sequence.setdefault("_legacy", own["_legacy"])
    warnings = (*found.warnings, *first, *second)
    return replace(found, attrs=attrs, sequence=sequence, warnings=warnings)


def _attrs(keys: KeyStore, key: str, strict: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        return read_attrs(keys, key), ()
    except DataError as error:
        if strict:
            raise
        return {}, (f"attributes {key} are left out: {error.reason}",)


def _with_beads(found: Measurement, keys: KeyStore, strict: bool) -> Measurement:
    try:
        beads = open_beads(keys, strict=strict)
    except DataError as error:
        if strict:
            raise
        return replace(found, warnings=(*found.warnings, f"beads are left out: {error.reason}"))
    return replace(found, beads=beads, warnings=(*found.warnings, *_bead_warning(beads)))


def _bead_warning(beads: ZarrBeads | None) -> tuple[str, ...]:
    if beads is None or not beads.missing:
        return ()
    return (f"{beads.missing} bead samples are missing from the file and left out",)


def _chunk_warning(missing: MissingChunks, what: str, then: str) -> tuple[str, ...]:
    if not missing.rows:
        return ()
    rows = sum(stop - start for start, stop in missing.rows)
    return (
        f"{missing.n_missing} of {missing.n_chunks} chunks of the {what} are missing: "
        f"{rows} rows {then}",
    )
