"""Images of localizations: counts, or Gaussians as wide as the localizations are uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.chunked.points import Points, extent_of
from mfxarray.chunked.rendering import draw, tiles_of
from mfxarray.kernels.rendering.drawing import Drawing
from mfxarray.kernels.rendering.grids import Grid
from mfxarray.kernels.rendering.splats import REACH
from mfxarray.minflux.rendering.grid import (
    axis_coords,
    backwards,
    grid_around,
    grid_within,
    pixel_edges,
)
from mfxarray.minflux.rendering.request import Asked, asked_of
from mfxarray.minflux.rendering.rows import MOST_CHANNELS, Field, channel_numbers, rows_of
from mfxarray.provenance import record

__all__ = ["pixel_edges", "render"]

Array = np.ndarray[Any, Any]
Sigma = float | str | xr.DataArray
Limits = Sequence[tuple[float, float]]


def render(
    ds: xr.Dataset,
    *,
    pixel: float | Sequence[float] = 1e-9,
    axes: Sequence[str] = ("x", "y"),
    limits: Sequence[tuple[float, float]] | None = None,
    kind: str = "histogram",
    sigma: Sigma | Sequence[Sigma] | None = None,
    color: str | xr.DataArray | None = None,
    channels: Sequence[Any] | None = None,
    weights: str | xr.DataArray | None = None,
    traces: bool = False,
) -> xr.DataArray:
    """Return an image of localizations, lazily.

    Parameters
    ----------
    ds
        Localizations; those that are valid, have a position and were masked by no filter are drawn.
        Or a table of traces, whose centroids are drawn.
    pixel
        Size of a pixel in metres, or one for each axis.
    axes
        Two or three of "x", "y", "z": to the right, upwards, in depth.
    limits
        Lowest and highest position along each axis, metres. The last pixel begins below the highest
        and is a whole one. By default all that is drawn, on whole multiples of the pixel.
    kind
        "histogram" counts localizations. "gaussian" draws each as a Gaussian of area 1 around its
        own place, all of the width ``sigma``; "precision" draws each as wide as it is uncertain.
    sigma
        Standard deviation in metres; or, for "precision", the name of a variable or an array with
        one for each localization (or one for each of its axes); or one of these for each of
        ``axes``. By default, for "precision", ``bound_lateral`` and ``bound_axial`` of the data, of
        traces ``standard_error``.
    color
        What is told apart. A variable of whole numbers (``wash``) gives one image for each of its
        values, along a dimension of its name; "channel" is ``channel``, ``wash`` or ``fluo``,
        whichever there is. A variable of floats, "depth" (z) or "time" gives its mean in each
        pixel, as the coordinate ``color`` of the image.
    channels
        The values of ``color`` that become channels; found in the data if not given.
    weights
        Variable or array with what each localization counts, photons for example; 1 by default.
    traces
        Draw the mean position of each trace instead of its localizations.

    Returns
    -------
    xarray.DataArray
        Dimensions (y, x) or (z, y, x), after the one of the channels if there are any; named after
        ``axes``. Coordinates are the centres of the pixels in metres. Counts are uint32, sums of
        Gaussians or weights float64.

    Raises
    ------
    ValueError
        If a parameter makes no sense, there is nothing to draw between limits that are not given,
        or the image is too large for a graph.

    Notes
    -----
    A pixel reaches from its lower edge, included, to the next one, excluded; the last edge belongs
    to the last pixel. Edges are ``first + i * pixel``; `pixel_edges` gives them, and
    `numpy.histogramdd` with these gives the same counts. Gaussians are integrated over the pixels
    up to 6 sigma, without moving them to a pixel; those beside the image count as far as they reach
    into it. Rows whose sigma, weight or color is not known are left out.

    Limits and channels that are not given need a pass over the positions at once; all else is done
    when the image is computed, in one pass, tile by tile: see `mfxarray.chunked.rendering.draw` for
    what is held in memory. An image that is written is never held as a whole. The same bits for
    every chunking and scheduler.
    """
    asked = asked_of(rows_of(ds, traces), axes, kind, sigma, color, weights)
    if channels is not None and asked.channel is None:
        raise ValueError("channels are values of a color of whole numbers; give that too")
    points, size = _points(asked), backwards(pixel, len(asked.names), "pixel")
    extent, found = _look(asked, points, limits, channels)
    grid = grid_around(extent, size) if limits is None else grid_within(limits, size)
    if asked.channel is not None:
        numbers = channel_numbers(asked.channel.values, found)
        points = replace(points, channel=numbers)
    drawing = Drawing(
        grid,
        tiles_of(grid.shape),
        asked.columns,
        splats=asked.sigma is not None,
        sigma=asked.fixed,
        channels=len(found) if asked.channel is not None else 1,
        amounts=0 if points.amounts is None else points.amounts.shape[1],
    )
    given = {"kind": kind, "pixel": pixel, "axes": list(axes), "limits": limits, "sigma": sigma}
    given |= {"color": color, "channels": channels, "weights": weights}
    return _labelled(asked, _images(points, drawing, asked), grid, found, given)


def _points(asked: Asked) -> Points:
    """Return the rows that are drawn, with what is summed over them."""
    used, sigma, columns = asked.rows.used, None, []
    if asked.sigma is not None and asked.fixed is None:
        sigma = _side_by_side([field.values for field in asked.sigma if isinstance(field, Field)])
    weight = None if asked.weight is None else asked.weight.values
    value = None if asked.value is None else asked.value.values
    for known in (weight, value):
        used = used if known is None else used & da.isfinite(known)
    if weight is not None:
        columns.append(weight)
    elif value is not None and asked.sigma is not None:
        columns.append(da.ones_like(value))
    if value is not None:
        columns.append(value if weight is None else value * weight)
    amounts = _side_by_side(columns) if columns else None
    return Points(used, asked.rows.position, sigma, amounts)


def _side_by_side(columns: Sequence[da.Array]) -> da.Array:
    return da.stack([column.astype(np.float64) for column in columns], axis=1).rechunk({1: -1})


def _look(
    asked: Asked, points: Points, limits: Limits | None, channels: Sequence[Any] | None
) -> tuple[Array, Array]:
    """Return the extent and the channels, which may need a pass over the rows."""
    wanted: list[Any] = [np.empty((2, 0)), np.empty(0, int) if channels is None else channels]
    if limits is None:
        margin = np.zeros(len(asked.names)) if asked.sigma is None else np.full(3, REACH)
        margin = margin[: len(asked.names)] * (asked.fixed or 1.0)
        wanted[0] = extent_of(points, asked.columns, margin.tolist())
    if asked.channel is not None and channels is None:
        wanted[1] = da.unique(asked.channel.values[points.used])
    extent, found = compute(*wanted)
    if asked.channel is not None and not 1 <= len(np.unique(found)) == len(found) <= MOST_CHANNELS:
        raise ValueError(
            f"{asked.channel.name} has {len(found)} values for channels; 1 to {MOST_CHANNELS} "
            "different ones can be drawn, give those wanted as channels"
        )
    return np.asarray(extent), np.asarray(found)


def _images(points: Points, drawing: Drawing, asked: Asked) -> tuple[da.Array, da.Array | None]:
    """Return the image, and the mean of the color in each pixel if there is one."""
    drawn = draw(points, drawing)
    image = drawn.sums[0] if drawn.counts is None or asked.weight is not None else drawn.counts
    mean = None if asked.value is None else da.map_blocks(_quotient, drawn.sums[-1], image)

    def part(whole: da.Array) -> da.Array:
        plane = whole if len(asked.names) == 3 else whole[:, 0]
        return plane if asked.channel is not None else plane[0]

    return part(image), None if mean is None else part(mean)


def _quotient(total: Array, amount: Array) -> Array:
    """Return the mean; NaN where nothing is drawn."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(amount > 0, total / amount, np.nan))


def _labelled(
    asked: Asked,
    images: tuple[da.Array, da.Array | None],
    grid: Grid,
    channels: Array,
    given: dict[str, Any],
) -> xr.DataArray:
    image, mean = images
    coords: dict[str, Any] = axis_coords(asked.names, grid)
    if asked.channel is not None:
        name = asked.channel.name
        coords = {name: (name, channels, _text(asked.channel.attrs)), **coords}
    dims = tuple(coords)
    if mean is not None and asked.value is not None:
        text = {"long_name": asked.value.name, **_text(asked.value.attrs)}
        coords["color"] = (dims, mean, text)
    arrays = {key: one for key, one in given.items() if isinstance(one, xr.DataArray)}
    told = {
        key: _told(one)
        for key, one in given.items()
        if one is not None and (key, one) != ("kind", "histogram")
    }
    noted = record(
        asked.rows.ds.attrs,
        "render",
        told,
        others={key: one.attrs for key, one in arrays.items()} or None,
    )
    what = f"{asked.rows.dim}s" if asked.weight is None else f"sum of {asked.weight.name}"
    units = "1" if asked.weight is None else str(asked.weight.attrs.get("units", "1"))
    attrs = {**noted, "units": units, "long_name": f"{what} in a pixel", "rendered": given["kind"]}
    return xr.DataArray(image, coords, dims, "counts" if asked.sigma is None else "density", attrs)


def _text(attrs: dict[Any, Any]) -> dict[Any, Any]:
    return {key: attrs[key] for key in ("units", "long_name") if key in attrs}


def _told(value: Any) -> Any:
    """Return a parameter as it is written into the record."""
    if isinstance(value, xr.DataArray):
        return "given" if value.name is None else str(value.name)
    if isinstance(value, list | tuple):
        return [_told(one) for one in value]
    return _told(value.tolist()) if isinstance(value, np.generic | np.ndarray) else value
