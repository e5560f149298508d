"""NanoSIMS files to labelled, lazy arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import xarray as xr

from mfxarray.assemble import dask_ion_images
from mfxarray.formats.im.im import ImFile, open_im
from mfxarray.formats.nrrd.header import is_nrrd
from mfxarray.formats.sources import FileSource
from mfxarray.opening.joined import join_files
from mfxarray.opening.nrrd import mark_corrected, open_nrrd_images
from mfxarray.records.unpacked import unpacked

__all__ = ["open_images", "open_mims", "with_earlier_steps"]

Path = str | os.PathLike[str]


def open_mims(
    path: Path | Sequence[Path],
    *,
    roll: tuple[int, int] | str = (0, 0),
    interleave: bool = False,
    incomplete: str = "drop",
    zero_tail: str = "keep",
    match: str = "order",
    member: str | None = None,
    max_bytes: int | None = None,
    integers: bool = True,
    chunk_bytes: int | None = None,
) -> xr.DataArray:
    """Return the ion counts of a NanoSIMS stack as a lazy DataArray.

    Parameters
    ----------
    path
        An ``.im`` file of an image analysis, plain or packed (gz, bz2, xz, zip, tar), or an
        OpenMIMS ``.nrrd`` or ``.nhdr``; or several of one field, in order, which become one stack.
        The content decides, not the name.
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
    member, max_bytes
        Of packed files: which file of the archive, and the most bytes to unpack; see `unpacked`.
    integers
        Of OpenMIMS files: promise unsigned integers (each block is checked when it is read), else
        give float64 as stored.
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
    Reads the header; "auto" at most 16 MB more, "drop" of the tail as far as the last count. A
    packed file is unpacked once into the cache (option ``cache_folder``), with bounded memory.
    """
    options: dict[str, Any] = {
        "roll": roll,
        "interleave": interleave,
        "incomplete": incomplete,
        "zero_tail": zero_tail,
        "member": member,
        "max_bytes": max_bytes,
        "integers": integers,
    }
    if isinstance(path, str | os.PathLike):
        return _stack(open_images(path, **options), chunk_bytes)
    files = [open_images(one, **options) for one in path]
    stacks = [_stack(file, chunk_bytes) for file in files]
    return join_files(stacks, [file.stack.file.path for file in files], match=match)


def _stack(file: ImFile, chunk_bytes: int | None) -> xr.DataArray:
    return with_earlier_steps(dask_ion_images(file, chunk_bytes=chunk_bytes))


def with_earlier_steps(counts: xr.DataArray) -> xr.DataArray:
    """Return counts whose record also has what OpenMIMS did, for files that it wrote."""
    return mark_corrected(counts) if "nrrd_keys" in counts.attrs else counts


def open_images(
    path: Path,
    *,
    member: str | None = None,
    max_bytes: int | None = None,
    integers: bool = True,
    **options: Any,
) -> ImFile:
    """Return an opened file, and warn of what does not fit together in it."""
    plain = unpacked(path, member, max_bytes=max_bytes)
    if is_nrrd(_head(plain)):
        _refuse(options)
        return open_nrrd_images(plain, integers=integers, roll=options.get("roll", (0, 0)))
    file = open_im(plain, **options)
    for message in file.warnings:
        warnings.warn(f"{file.stack.file.path}: {message}", stacklevel=3)
    return file


def _head(path: str) -> bytes:
    source = FileSource.open(path)
    return source.read(0, min(source.size, 16))


def _refuse(options: dict[str, Any]) -> None:
    """Refuse what only the header of an ``.im`` file can tell."""
    usual = {"interleave": False, "incomplete": "drop", "zero_tail": "keep", "roll": (0, 0)}
    for name, value in options.items():
        if name != "roll" and value != usual[name]:
            raise ValueError(f"{name}={value!r} is for .im files, not for those of OpenMIMS")
