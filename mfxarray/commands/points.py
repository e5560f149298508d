"""Localizations within bounds, and points that may be localizations or traces."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from mfxarray.commands.files import bounds_of, open_data, open_localizations
from mfxarray.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["bounded_localizations", "bounded_points"]


def bounded_localizations(arguments: Namespace) -> xr.Dataset:
    """Return the localizations of a file, masked by --bound where it is given.

    Raises
    ------
    DataError
        If the file holds something else.
    """
    return _bounded(open_localizations(arguments), arguments)


def bounded_points(arguments: Namespace) -> xr.Dataset:
    """Return localizations, masked by --bound, or a table of traces.

    Raises
    ------
    DataError
        If the file holds neither.
    ValueError
        If traces are bounded.
    """
    data: xr.Dataset = open_data(arguments)  # type: ignore[assignment]
    if "localization" in data.dims:
        return _bounded(data, arguments)
    if "trace" not in data.dims:
        raise DataError("holds no MINFLUX localizations or traces", path=arguments.file)
    if bounds_of(arguments):
        raise ValueError(f"--bound is for localizations, and {arguments.file} holds traces")
    return data


def _bounded(data: xr.Dataset, arguments: Namespace) -> xr.Dataset:
    from mfxarray.minflux.filtering.filters import filter_localizations

    bounds = bounds_of(arguments)
    return filter_localizations(data, bounds=bounds) if bounds else data
