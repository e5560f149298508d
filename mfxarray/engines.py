"""xarray engines ``minflux`` and ``mims``: files to labelled, lazy Datasets.

xarray imports this module for every ``xr.open_dataset`` of every user, so nothing heavy is imported
before a file of ours is opened.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from xarray.backends import BackendEntrypoint

if TYPE_CHECKING:
    import xarray as xr

    from mfxarray.formats.im import ImFile

__all__ = ["MimsBackendEntrypoint", "MinfluxBackendEntrypoint", "open_mims", "open_minflux"]

Path = str | os.PathLike[str]


class MinfluxBackendEntrypoint(BackendEntrypoint):
    """Open MINFLUX localizations as a Dataset (localization, iteration, axis).

    With ``chunks={}`` the chunks are cut at trace bounds, as `open_minflux` cuts them. xarray wraps
    what an engine gives variable by variable, so each field reads the records for itself;
    `open_minflux` gives the same Dataset with one read a block for all fields.
    """

    description = "MINFLUX localizations exported by Imspector (.npy)"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "masked",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        masked: bool = False,
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the localizations; see `open_minflux`."""
        from mfxarray.assemble import lazy_localizations
        from mfxarray.formats.npy import open_npy

        file = open_npy(filename_or_obj)
        found = lazy_localizations(file, masked=masked, chunk_bytes=chunk_bytes)
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a MINFLUX file; never raises."""
        from mfxarray.formats.sniff import looks_like_minflux

        return looks_like_minflux(filename_or_obj)


class MimsBackendEntrypoint(BackendEntrypoint):
    """Open a NanoSIMS stack as a Dataset with the variable ``counts`` (frame, detector, y, x)."""

    description = "Cameca NanoSIMS image stacks (.im)"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "roll",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        roll: tuple[int, int] | str = (0, 0),
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the stack; see `open_mims`."""
        from mfxarray.assemble import lazy_ion_images

        counts = lazy_ion_images(_open_im(filename_or_obj, roll), chunk_bytes=chunk_bytes)
        found = counts.to_dataset(name="counts")
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a NanoSIMS file; never raises."""
        from mfxarray.formats.sniff import looks_like_mims

        return looks_like_mims(filename_or_obj)


def open_minflux(path: Path, *, masked: bool = False, chunk_bytes: int | None = None) -> xr.Dataset:
    """Return the localizations of a MINFLUX file as a lazy Dataset.

    Parameters
    ----------
    path
        An ``.npy`` file exported by Imspector (nested records).
    masked
        Make ``cfr`` NaN where it was not measured. By default the vendor's mark -1/32768 stays,
        because the means of other tools include it.
    chunk_bytes
        Wished bytes of a block of records; `mfxarray.set_options` sets the default.

    Returns
    -------
    xarray.Dataset
        Dimensions ``localization``, ``iteration``, ``axis`` (x, y, z). SI units.

    Raises
    ------
    DataError
        If the file is damaged, truncated or of another format.

    Notes
    -----
    Reads less than 4 MB: the header and a few rows around each wished cut.
    """
    from mfxarray.assemble import dask_localizations
    from mfxarray.formats.npy import open_npy

    return dask_localizations(open_npy(path), masked=masked, chunk_bytes=chunk_bytes)


def open_mims(
    path: Path, *, roll: tuple[int, int] | str = (0, 0), chunk_bytes: int | None = None
) -> xr.DataArray:
    """Return the ion counts of a NanoSIMS stack as a lazy DataArray.

    Parameters
    ----------
    path
        An ``.im`` file of an image analysis.
    roll
        Pixels (dy, dx) by which every image is rolled, to mend the acquisition's edge glitch;
        "seed" is (1, 1).
    chunk_bytes
        Wished bytes of a block of frames; `mfxarray.set_options` sets the default.

    Returns
    -------
    xarray.DataArray
        Counts (frame, detector, y, x). ``y`` and ``x`` are pixel centres in micrometres.

    Raises
    ------
    DataError
        If the file is damaged or of another kind.

    Warns
    -----
    UserWarning
        If the file holds more or fewer frames than its header says, or none.
    """
    from mfxarray.assemble import dask_ion_images

    return dask_ion_images(_open_im(path, roll), chunk_bytes=chunk_bytes)


def _open_im(path: Path, roll: tuple[int, int] | str) -> ImFile:
    from mfxarray.formats.im import open_im

    file = open_im(path, roll=roll)
    for message in file.warnings:
        warnings.warn(f"{file.stack.file.path}: {message}", stacklevel=3)
    return file
