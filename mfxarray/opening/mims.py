"""NanoSIMS files to labelled, lazy arrays."""

from __future__ import annotations

import os
import warnings

import xarray as xr

from mfxarray.assemble import dask_ion_images
from mfxarray.formats.im import ImFile, open_im

__all__ = ["open_images", "open_mims"]

Path = str | os.PathLike[str]


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
    return dask_ion_images(open_images(path, roll), chunk_bytes=chunk_bytes)


def open_images(path: Path, roll: tuple[int, int] | str) -> ImFile:
    """Return an opened file, and warn of what does not fit together in it."""
    file = open_im(path, roll=roll)
    for message in file.warnings:
        warnings.warn(f"{file.stack.file.path}: {message}", stacklevel=3)
    return file
