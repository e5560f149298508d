"""TIFF files that ImageJ opens as hyperstacks: frames, channels with names, a scale in µm."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from dask.delayed import Delayed

from mfxarray._version import __version__
from mfxarray.errors import DataError
from mfxarray.stores.flat_file import FlatArray, write_calls
from mfxarray.stores.image_stack import ImageStack, image_stack, printable
from mfxarray.stores.single_file import staged_file
from mfxarray.stores.tasks import Call, in_order

__all__ = ["write_tiff"]

Array = np.ndarray[Any, Any]

_TYPES = ("uint8", "uint16", "float32")
# whole numbers up to here are exact in float32
_EXACT = 2**24
# beyond this the tables of all pages may not fit before the 4 GiB that TIFF reaches
_CLASSIC_BYTES = 2**32 - 2**25
_PAGE_BYTES = 1024


def write_tiff(
    data: xr.DataArray | xr.Dataset,
    path: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    bigtiff: bool = False,
    overwrite: bool = False,
) -> None:
    """Write images as a TIFF hyperstack for ImageJ, complete or not at all.

    Parameters
    ----------
    data
        Images with the dimensions y and x, with or without frames or depths z, and one more for
        channels (detector). In a Dataset every variable adds channels: a ratio and its error, or
        counts ("12C") and their variance ("12C variance").
    path
        The new file.
    dtype
        "uint8", "uint16" or "float32", all that ImageJ has. By default float32 for floats; for
        integers uint16 if they fit, else float32, which needs a first pass over the data for their
        range. Given "float32", counts from 2^24 on are rounded.
    bigtiff
        Write BigTIFF with a page for every image, which ImageJ opens with Bio-Formats only. Without
        it, files beyond 4 GiB have the description of the first image and then all images without
        a gap, which is how ImageJ itself writes and reads them; other programs see one image.
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        If the file exists and ``overwrite`` is off, the folder is missing, or tifffile is not
        installed.
    ValueError
        If the data are no images, or counts fit neither uint16 nor exactly float32, or not the
        ``dtype`` given.

    Notes
    -----
    Each block of the source is written to its place as it comes, in parallel; in memory are the
    blocks at work. float64 becomes float32, NaN stays NaN. Not compressed, as ImageJ wants it.
    Coordinates other than the scale, such as exposure, are not written; Zarr keeps all. The
    attributes, with the record of steps, are in the image's info.
    """
    module = _tifffile(path)
    stack = image_stack(data)
    if dtype is not None and dtype not in _TYPES:
        raise ValueError(f"dtype must be one of {_TYPES} or None, not {dtype!r}")
    with staged_file(path, overwrite=overwrite) as temporary:
        kind = np.dtype(dtype or _kind(stack)).newbyteorder("<")
        offset = _head(module, temporary, stack, kind, bigtiff)
        target = FlatArray(temporary, offset, stack.shape, kind)
        compute(_tasks(target, stack))


def _tifffile(path: object) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise DataError(
            "is to be a TIFF file, for which tifffile is needed",
            path=path,
            hint='Install it: pip install "mfxarray[tiff]"',
        ) from error
    return tifffile


def _kind(stack: ImageStack) -> str:
    """Return the narrowest type of ImageJ that holds all values; reads integers once."""
    kind, size = stack.dtype.kind, stack.dtype.itemsize
    if kind == "f":
        return "float32"
    if kind == "b" or (kind == "u" and size <= 2):
        return "uint8" if size == 1 else "uint16"
    ends = compute(*(end for part in stack.parts for end in (part.min(), part.max())))
    low, high = min(map(int, ends)), max(map(int, ends))
    if low >= 0 and high < 2**16:
        return "uint16"
    if max(-low, high) <= _EXACT:
        return "float32"
    raise ValueError(
        f"counts up to {max(-low, high)} are exact in no type of ImageJ, which has 16 bits and "
        "float32; take dtype='float32' to round them, or write Zarr, OME-Zarr or NetCDF"
    )


def _cast(block: Array, kind: np.dtype[Any]) -> Array:
    """Return a block as the type of the file, or refuse what it cannot hold."""
    if kind.kind == "u" and block.size:
        # NaN is not whole
        whole = block.dtype.kind != "f" or bool(np.all(block == np.rint(block)))
        if not whole or block.min() < 0 or block.max() > np.iinfo(kind).max:
            raise ValueError(f"there are values that {kind.name} cannot hold; take dtype='float32'")
    return block.astype(kind)


def _head(module: Any, path: str, stack: ImageStack, kind: np.dtype[Any], big: bool) -> int:
    """Write everything but the pixels; return where these begin."""
    frames, channels, rows, columns = stack.shape
    pages = frames * channels
    size = pages * (rows * columns * kind.itemsize + _PAGE_BYTES)
    step = stack.pixel_um
    with warnings.catch_warnings():
        # tifffile warns that ImageJ needs a plug-in for BigTIFF, as our documentation does
        warnings.filterwarnings("ignore", message=".*nonconformant BigTIFF.*")
        writer = module.TiffWriter(path, bigtiff=big, byteorder="<", imagej=True)
    with writer:
        offset, _ = writer.write(
            shape=stack.shape,
            dtype=kind,
            photometric="minisblack",
            truncate=not big and size > _CLASSIC_BYTES,
            resolution=None if step is None else (1 / step[1], 1 / step[0]),
            resolutionunit="none",
            software=f"mfxarray {__version__}",
            metadata=_description(stack),
            returnoffset=True,
        )
    return int(offset)


def _description(stack: ImageStack) -> dict[str, Any]:
    """Return what ImageJ shows: unit, origin, a label for every image, all attributes."""
    # seven channels are all that ImageJ overlays in colours; in grey there may be any number
    axes = "ZCYX" if stack.deep else "TCYX"
    found: dict[str, Any] = {"axes": axes, "mode": "grayscale", "loop": False}
    if stack.pixel_um is not None and stack.first_um is not None:
        found["unit"] = "um"
        origins = zip(("xorigin", "yorigin"), (1, 0), strict=True)
        for name, axis in origins:
            # the pixel at which the coordinate of an edge is 0
            edge = 0.5 - stack.first_um[axis] / stack.pixel_um[axis]
            if abs(edge) > 1e-6:
                found[name] = round(edge, 6)
    if stack.deep and stack.depth_um is not None:
        found["spacing"] = stack.depth_um[0]
    if stack.frames is None:
        found["Labels"] = list(stack.labels)
    else:
        numbers = stack.frames
        what = "depth" if stack.deep else "frame"
        found["Labels"] = [f"{name} - {what} {n}" for n in numbers for name in stack.labels]
    text = json.dumps(stack.attrs, default=str, indent=1)
    found["Info"] = "\n".join(printable(line, len(line)) for line in text.splitlines())
    return found


def _tasks(target: FlatArray, stack: ImageStack) -> Delayed:
    found: list[tuple[tuple[int, ...], Call]] = []
    channel = 0
    for part in stack.parts:
        found += write_calls(target, part, (0, channel, 0, 0), _cast)
        channel += part.shape[1]
    # channels of the same frames come from the same blocks of the source
    found.sort(key=lambda entry: entry[0])
    return in_order([call for _, call in found], list(stack.parts))
