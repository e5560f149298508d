"""One way into every container of MINFLUX data: the content decides which reader opens it."""

from __future__ import annotations

import os
from importlib import import_module

from mfxarray.errors import DataError
from mfxarray.formats.sniff import sniff
from mfxarray.formats.tables import Measurement

__all__ = ["open_measurements", "pick"]

# what `sniff` finds, the module that reads it, and its function
_READERS = {
    "npy": ("npy.npy", "open_npy"),
    "mat": ("mat.mat", "open_mat"),
    "json": ("json.minflux", "open_json"),
    "zarr v2": ("zarr.minflux", "open_zarr_v2"),
    "zipped zarr": ("zarr.minflux", "open_zarr_v2"),
    "msr": ("msr.msr", "open_msr"),
    "hdf5": ("pmx.pmx", "open_pmx"),
    "npz": ("npy.npz", "open_npz"),
    "text": ("text.table", "open_text"),
}
# containers whose numbers may come without units
_UNITLESS = ("npz", "text")
_ELSEWHERE = {
    "zarr": "mfxarray.open_zarr reads it.",
    "parquet": "mfxarray.open_parquet reads it.",
    "im": "mfxarray.open_mims reads it.",
}


def open_measurements(
    path: str | os.PathLike[str],
    *,
    strict: bool = True,
    units: str | None = None,
    kind: str | None = None,
) -> tuple[Measurement, ...]:
    """Return all data sets of a file or folder; their records stay where they are.

    Parameters
    ----------
    path
        File or folder of any MINFLUX container.
    strict
        Refuse what is incomplete; if off, what is there is given, and what is missing is listed.
    units
        Unit of coordinates, "nm", "um" or "m", for text and npz files that do not tell.
    kind
        What `sniff` says of the path, where that is known.

    Raises
    ------
    DataError
        If it is no MINFLUX data or is damaged.
    ValueError
        If ``units`` is given for a container that knows its units.
    """
    kind = sniff(path) if kind is None else kind
    if kind not in _READERS:
        hint = _ELSEWHERE.get(kind, "Give a MINFLUX file.")
        raise DataError(f"is no MINFLUX measurement but {kind}", path=path, hint=hint)
    module, name = _READERS[kind]
    reader = getattr(import_module(f"mfxarray.formats.{module}"), name)
    if kind in _UNITLESS:
        return reader(path, strict=strict, units=units)
    if units is not None:
        raise ValueError(f"units= is for text and npz files; a {kind} file has its own units")
    return reader(path, strict=strict)


def pick(measurements: tuple[Measurement, ...], data_set: str | None) -> Measurement:
    """Return the data set of that label or id; the only one if none is named.

    Raises
    ------
    DataError
        If there is no such data set, or several and none is named; the message lists them.
    """
    path = measurements[0].source.path
    labels = ", ".join(repr(measurement.label) for measurement in measurements)
    if data_set is None:
        if len(measurements) > 1:
            hint = 'Name one, such as dataset="P1", or use mfxarray.open_minflux_tree.'
            raise DataError(f"holds {len(measurements)} data sets: {labels}", path=path, hint=hint)
        return measurements[0]
    for measurement in measurements:
        if data_set in (measurement.label, measurement.attrs.get("did")):
            return measurement
    raise DataError(f"holds no data set {data_set!r}", path=path, hint=f"There are: {labels}.")
