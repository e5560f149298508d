"""Images as other programs want them: one stack of frames or depths, with a scale."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

__all__ = ["ImageStack", "image_stack", "printable"]

_KNOWN = ("frame", "z", "y", "x")
# micrometres in what coordinates are in; without a unit they are micrometres
_UM = {"m": 1e6, "nm": 1e-3}


@dataclass(frozen=True)
class ImageStack:
    """Images of one size in the order (frame, channel, y, x); depths z may be in place of frames.

    Attributes
    ----------
    parts
        Dask arrays (frame, channel, y, x); together, one after the other, they are the channels.
    labels
        Name of every channel, printable.
    frames
        Number of every frame or depth; None for images without.
    pixel_um
        Height and width of a pixel; None where the data do not say.
    first_um
        Centre of the first pixel (y, x); None likewise.
    attrs
        Attributes of the data.
    deep
        Whether there are depths, not frames.
    depth_um
        Distance of the depths and the centre of the first; None where the data do not say.
    """

    parts: tuple[da.Array, ...]
    labels: tuple[str, ...]
    frames: tuple[int, ...] | None
    pixel_um: tuple[float, float] | None
    first_um: tuple[float, float] | None
    attrs: dict[Any, Any]
    deep: bool = False
    depth_um: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, rows, columns."""
        frames, _, rows, columns = self.parts[0].shape
        return frames, len(self.labels), rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest dtype that holds all channels."""
        return np.result_type(*(part.dtype for part in self.parts))


def image_stack(data: xr.DataArray | xr.Dataset) -> ImageStack:
    """Return images as a stack of frames and channels, lazily.

    Parameters
    ----------
    data
        Images with the dimensions y and x, with or without ``frame`` or ``z``, and at most one
        more, whose entries (detectors, regions, colours) are channels. In a Dataset every variable
        adds its channels: counts and variance, or a ratio and its error.

    Raises
    ------
    ValueError
        If there are other dimensions, variables that are no images, nothing to write, or no
        numbers.
    """
    arrays = _arrays(data)
    dims = sorted({"frame", "z"} & {dim for array in arrays.values() for dim in array.dims})
    if len(dims) > 1:
        raise ValueError("images have frames or depths z, not both; select one of them")
    stacked = dims[0] if dims else None
    labels: list[str] = []
    parts = []
    for name, array in arrays.items():
        _check(name, array, stacked)
        extra = [dim for dim in array.dims if dim not in _KNOWN]
        labels += _labels(array, extra, name, len(arrays) > 1)
        parts.append(_part(array, stacked or "frame", extra))
    first = next(iter(arrays.values()))
    if 0 in parts[0].shape or not labels:
        raise ValueError(f"there is no pixel in images of {dict(first.sizes)}")
    frames = None if stacked is None else tuple(int(n) for n in _numbers(first, stacked))
    rows, columns = _even(first, "y"), _even(first, "x")
    steps = None if rows is None or columns is None else (rows[0], columns[0])
    places = None if rows is None or columns is None else (rows[1], columns[1])
    deep = stacked == "z"
    depth = _even(first, "z") if deep else None
    stack = ImageStack(tuple(parts), tuple(labels), frames, steps, places, dict(data.attrs))
    return replace(stack, deep=deep, depth_um=depth)


def printable(text: object, most: int = 200) -> str:
    """Return text on one line that every encoding of Unicode holds."""
    clean = "".join(char if char.isprintable() else "?" for char in str(text))
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _arrays(data: xr.DataArray | xr.Dataset) -> dict[Hashable, xr.DataArray]:
    if isinstance(data, xr.DataArray):
        return {data.name if data.name is not None else "image": data}
    if not data.data_vars:
        raise ValueError("the Dataset has no variables to write")
    return dict(data.data_vars)


def _check(name: Hashable, array: xr.DataArray, stacked: str | None) -> None:
    extra = [dim for dim in array.dims if dim not in _KNOWN]
    if not {"y", "x"} <= set(array.dims) or len(extra) > 1:
        raise ValueError(
            f"{name} has the dimensions {array.dims}; images have y and x, perhaps frame or z, and "
            "one more; leave out, or select from, what is no image"
        )
    if stacked is not None and stacked not in array.dims:
        raise ValueError(f"{name} has no {stacked} and others have; write them to another file")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {array.dtype}; images are numbers")


def _labels(array: xr.DataArray, extra: list[Hashable], name: Hashable, several: bool) -> list[str]:
    if not extra:
        return [printable(name)]
    (dim,) = extra
    entries = array[dim].values if dim in array.coords else range(array.sizes[dim])
    # counts are what a channel is; what comes beside them says its name
    suffix = f" {name}" if several and name != "counts" else ""
    return [printable(f"{entry}{suffix}") for entry in entries]


def _part(array: xr.DataArray, stacked: str, extra: list[Hashable]) -> da.Array:
    for dim in (stacked, "channel of one"):
        if dim not in array.dims and (dim == stacked or not extra):
            array = array.expand_dims(dim)
    channel = extra[0] if extra else "channel of one"
    values = array.transpose(stacked, channel, "y", "x").data
    return values if isinstance(values, da.Array) else da.from_array(np.asarray(values), chunks=-1)


def _even(array: xr.DataArray, dim: str) -> tuple[float, float] | None:
    """Return step and first place along a dimension in µm, if it is evenly spaced."""
    if dim not in array.coords or array.sizes[dim] < 2:
        return None
    at = array[dim].values.astype(np.float64) * _UM.get(array[dim].attrs.get("units", ""), 1.0)
    step = (at[-1] - at[0]) / (len(at) - 1)
    if not step > 0 or np.abs(np.diff(at) - step).max() > 1e-3 * step:
        return None
    return float(step), float(at[0])


def _numbers(array: xr.DataArray, dim: str) -> np.ndarray[Any, Any]:
    found = array[dim].values if dim in array.coords else np.arange(array.sizes[dim])
    return np.asarray(found) if found.dtype.kind in "iu" else np.arange(array.sizes[dim])
