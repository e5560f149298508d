"""The commands that look: info and render."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfxarray.commands.files import bounds_of, check_output, client_of, open_data, summary_of_output
from mfxarray.errors import DataError
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["info", "render"]


def info(arguments: Namespace) -> None:
    """Print what a file or store holds."""
    from mfxarray.display import describe, safe_text

    data = open_data(arguments.file)
    print(safe_text(arguments.file))
    print(describe(data, times=True))


def render(arguments: Namespace) -> None:
    """Write a picture of localizations, traces or ion images."""
    from mfxarray import plot

    out = check_output(arguments, ".png", ".pdf", ".svg")
    data = open_data(arguments.file)
    with (
        client_of(arguments) as at,
        progress("drawing", at),
    ):
        figure = _draw(data, arguments)
    plot.save(figure, out)
    print(summary_of_output(out))


def _draw(data: Any, arguments: Namespace) -> Figure:
    from mfxarray import plot
    from mfxarray.minflux.filters import filter_localizations

    title = Path(arguments.file).name
    if "localization" in data.dims:
        shown = filter_localizations(data, bounds=bounds_of(arguments))
        pixel = None if arguments.pixel_nm is None else arguments.pixel_nm * 1e-9
        return plot.localizations(shown, axes=arguments.axes, pixel_m=pixel, title=title)
    if "trace" in data.dims:
        return plot.traces(data, title=title)
    if {"detector", "y", "x"} <= set(data.dims):
        return plot.ion_images(data, log=arguments.log, title=title)
    raise DataError(f"there is no picture for {tuple(data.dims)}", path=arguments.file)
