"""What the tests of pictures look at, and the data they draw."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from mfxarray.provenance import origin

DETECTORS = ["12C", "13C", "a$b$_{", "SE"]


def counts(frames: int = 4, size: tuple[int, int] = (12, 16)) -> xr.DataArray:
    """Return counts (frame, detector, y, x) of pixels of 0.5 µm, the last detector electrons."""
    rng = np.random.default_rng(1)
    level = np.array([200.0, 3.0, 50.0, 900.0])[:, None, None]
    values = rng.poisson(level, (frames, 4, *size)).astype("u4")
    return xr.DataArray(
        da.from_array(values, chunks=(2, 4, *size)),
        {
            "frame": np.arange(frames) + 10,
            "detector": ("detector", np.array(DETECTORS, object)),
            "mass": ("detector", [12.0, 13.003, 26.003, 0.0]),
            "y": ("y", (np.arange(size[0]) + 0.5) * 0.5, {"units": "µm"}),
            "x": ("x", (np.arange(size[1]) + 0.5) * 0.5, {"units": "µm"}),
        },
        ("frame", "detector", "y", "x"),
        "counts",
        {"units": "counts", **origin("open", {"name": "a.im"}, {})},
    )


def panels(figure: Figure) -> list[Any]:
    """Return the axes that show an image, in order."""
    return [axes for axes in figure.axes if axes.get_images()]


def image(axes: Any) -> np.ndarray:
    """Return the values that axes show."""
    return np.asarray(axes.get_images()[0].get_array())


def bar(axes: Any) -> Any:
    """Return the colour bar beside an image."""
    return axes.child_axes[0]


def drawn(figure: Figure) -> Figure:
    """Return a figure after drawing it, which is when text is understood."""
    figure.canvas.draw()
    return figure


def inside(figure: Figure) -> bool:
    """Tell whether everything that is drawn lies within the figure."""
    drawn(figure)
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    return bool(
        box.x0 >= -0.05 and box.y0 >= -0.05 and box.x1 <= width + 0.05 and box.y1 <= height + 0.05
    )
