"""NanoSIMS files to labelled, lazy arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import xarray as xr

from mfxarray.assemble import dask_ion_images
from mfxarray.formats.im import ImFile, open_im
from mfxarray.opening.joined import join_files

__all__ = ["open_images", "open_mims"]

Path = str | os.PathLike[str]


def open_mims(
    path: Path | Sequence[Path],
    *,
    roll: tuple[int, int] | str = (0, 0),
    interleave: bool = False,
    incomplete: str = "drop",
    zero_tail: str = "keep",
    match: str = "order",
    chunk_bytes: int | None = None,
) -> xr.DataArray:
    """Return the ion counts of a NanoSIMS stack as a lazy DataArray.

    Parameters
    ----------
    path
        An ``.im`` file of an image analysis; or several of one field, in order, which become one
        stack.
    roll
        Pixels (dy, dx) by which every image is rolled, to mend the acquisition's edge glitch;
        "seed" is (1, 1), "auto" looks whether edges continue on the other side, and rolls only
        where that is clear.
    interleave
        Give the series of a peak-switched measurement one after the other along ``frame``, with one
        detector a species. What a series does not record is 0, and not ``recorded``.
    incomplete
        What becomes of a last frame that the file holds in part: "drop", or "pad" with zeros that
        are not ``recorded``.
    zero_tail
        "keep" frames without any count at the end, which an aborted run leaves, or "drop" them.
    match
        For several files: detectors in the same "order", or found by "label".
    chunk_bytes
        Wished bytes of a block of frames; `mfxarray.set_options` sets the default.

    Returns
    -------
    xarray.DataArray
        Counts (frame, detector, y, x). ``y`` and ``x`` are pixel centres in micrometres. For
        several files, the coordinate ``file`` tells the number of the file.

    Raises
    ------
    DataError
        If a file is damaged or of another kind, or the files do not belong together.

    Warns
    -----
    UserWarning
        If the file holds more or fewer frames than its header says, or none.

    Notes
    -----
    Reads the header; "auto" at most 16 MB more, "drop" of the tail as far as the last count.
    """
    options = {
        "roll": roll,
        "interleave": interleave,
        "incomplete": incomplete,
        "zero_tail": zero_tail,
    }
    if isinstance(path, str | os.PathLike):
        return dask_ion_images(open_images(path, **options), chunk_bytes=chunk_bytes)
    files = [open_images(one, **options) for one in path]
    stacks = [dask_ion_images(file, chunk_bytes=chunk_bytes) for file in files]
    return join_files(stacks, [file.stack.file.path for file in files], match=match)


def open_images(path: Path, **options: Any) -> ImFile:
    """Return an opened file, and warn of what does not fit together in it."""
    file = open_im(path, **options)
    for message in file.warnings:
        warnings.warn(f"{file.stack.file.path}: {message}", stacklevel=3)
    return file
