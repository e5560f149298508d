"""Pictures of ion images: one panel a detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.panels import (
    Limits,
    image_panel,
    label_axes,
    limits_of,
    panel_figure,
    plain_text,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from mfxarray.mims.accumulate import Frames

__all__ = ["detector_title", "ion_images", "summed_images"]

Array = np.ndarray[Any, Any]

# coordinates that a picture needs; masks and the like would be computed for nothing
_NEEDED = ("detector", "label", "mass", "y", "x", "exposure")


def ion_images(
    data: xr.DataArray | xr.Dataset,
    *,
    detectors: str | Sequence[str] | None = None,
    frames: Frames = None,
    log: bool = False,
    percentiles: Limits = (0.0, 99.9),
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """Return one picture a detector, summed over frames, and the exposure where it varies.

    Parameters
    ----------
    data
        Ion counts (frame, detector, y, x), or images (detector, y, x) that are summed already; raw
        or corrected.
    detectors
        Names of the detectors to show; all if not given.
    frames
        Frames to sum, as for `mfxarray.mims.accumulate.accumulate`: all, a number, "0-9,14".
    log
        Colours on a logarithmic scale.
    percentiles
        Of every image, shown as the first and the last colour.
    columns
        Panels in a row, 4 or fewer if not given.
    title
        Above all pictures.

    Raises
    ------
    ValueError
        If there are no images, or a detector, a frame or a percentile makes no sense.

    Notes
    -----
    Computes the detectors and frames that are shown and nothing else, in one pass.
    """
    from mfxarray.mims.pixel_grid import grid_of

    images, what = summed_images(data, detectors, frames)
    images = images.compute()
    panels = [
        (detector_title(images, index), images.isel(detector=index).values, _kind(images, index))
        for index in range(images.sizes["detector"])
    ]
    exposure = images.coords.get("exposure")
    if exposure is not None and exposure.size and exposure.min() != exposure.max():
        panels.append(("exposure", exposure.values, ("viridis", "frames")))
    grid = grid_of(images)
    figure, places = panel_figure(grid, len(panels), columns)
    for place, (name, values, (cmap, unit)) in zip(places, panels, strict=True):
        norm = _norm(values, log and unit != "frames", percentiles)
        image_panel(place, values, grid, norm=norm, cmap=cmap, unit=unit, title=name)
    label_axes(places, grid)
    figure.suptitle(f"{plain_text(title)}: {what}" if title else what, fontsize=10)
    return figure


def summed_images(
    data: xr.DataArray | xr.Dataset, detectors: str | Sequence[str] | None, frames: Frames
) -> tuple[xr.DataArray, str]:
    """Return chosen images (detector, y, x), lazily, and what they are in words.

    Raises
    ------
    ValueError
        If the data are no images of detectors, or a detector or frame is unknown.
    """
    import xarray as xr

    from mfxarray.mims.accumulate import frame_positions
    from mfxarray.mims.counted import split
    from mfxarray.mims.stack import detector_numbers

    counts = split(data)[0] if isinstance(data, xr.Dataset) else data
    if not {"detector", "y", "x"} <= set(counts.dims) <= {"frame", "detector", "y", "x"}:
        raise ValueError(f"a picture needs the dimensions detector, y and x, not {counts.dims}")
    counts = counts.drop_vars([name for name in counts.coords if name not in (*_NEEDED, "frame")])
    if detectors is not None:
        counts = counts.isel(detector=detector_numbers(counts, detectors))
    if not counts.size:
        raise ValueError(f"there is no pixel in images of {dict(counts.sizes)}")
    if "frame" not in counts.dims:
        if frames is not None:
            raise ValueError("the images have no frames to choose from")
        return counts.transpose("detector", "y", "x"), "summed images"
    wanted = [frames] if isinstance(frames, int | np.integer) else frames
    positions = frame_positions(counts, wanted)
    if len(positions) == counts.sizes["frame"]:
        what = f"sum of {len(positions)} frames"
    else:
        # what was aligned covers the pixels by all frames, which is not what is shown
        counts = counts.isel(frame=positions).drop_vars("exposure", errors="ignore")
        number = counts["frame"].values[0] if "frame" in counts.coords else positions[0]
        what = f"frame {number}" if len(positions) == 1 else f"sum of {len(positions)} frames"
    return counts.sum("frame", skipna=False).transpose("detector", "y", "x"), what


def detector_title(images: xr.DataArray, index: int) -> str:
    """Return the name of a detector and its mass."""
    name = plain_text(images["detector"].values[index], 24) if "detector" in images.coords else ""
    mass = float(images["mass"].values[index]) if "mass" in images.coords else 0.0
    return f"{name}  ({mass:.3f} u)" if mass > 0 else name or f"detector {index}"


def _kind(images: xr.DataArray, index: int) -> tuple[str, str]:
    """Return colour map and unit; electrons are no ions and look unlike them."""
    if "mass" in images.coords and not float(images["mass"].values[index]) > 0:
        return "gray", "signal"
    return "inferno", "counts"


def _norm(values: Array, log: bool, percentiles: Limits) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    low, high = limits_of(values, percentiles)
    if not log:
        return Normalize(low, high)
    low = max(low, 1.0)
    return LogNorm(low, max(high, 10.0 * low), clip=True)
