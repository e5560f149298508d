"""The command render: pictures, and images of localizations as files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfxarray.commands.files import (
    PICTURES,
    bounds_of,
    check_output,
    client_of,
    open_data,
    summary_of_output,
)
from mfxarray.errors import DataError
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["render"]

_NM = 1e-9
_IMAGES = (".tif", ".tiff", ".zarr")
# options that ask for one rendered image in place of the overview
_RENDERED = ("kind", "sigma_nm", "color", "traces")
# the coarsest resolution of a pyramid is about this large
_COARSEST = 512


def render(arguments: Namespace) -> None:
    """Write a picture of localizations, traces or ion images, or an image of localizations."""
    from mfxarray import plot

    out = check_output(arguments, *PICTURES, *_IMAGES)
    data = open_data(arguments)
    as_image = Path(out).suffix.lower() in _IMAGES
    with client_of(arguments) as at, progress("drawing", at):
        if as_image:
            _write(_rendered(data, arguments), out, overwrite=arguments.overwrite)
        else:
            plot.save(_picture(data, arguments), out)
    print(summary_of_output(out))


def _picture(data: Any, arguments: Namespace) -> Figure:
    from mfxarray import plot

    title = Path(arguments.file).name
    if any(getattr(arguments, name) for name in _RENDERED) or len(arguments.axes) == 3:
        return plot.rendering(_rendered(data, arguments), title=title)
    if "localization" in data.dims:
        pixel = None if arguments.pixel_nm is None else arguments.pixel_nm * _NM
        shown = _shown(data, arguments)
        return plot.localizations(shown, axes=arguments.axes, pixel_m=pixel, title=title)
    if "trace" in data.dims:
        return plot.traces(data, title=title)
    if {"detector", "y", "x"} <= set(data.dims):
        return plot.ion_images(data, log=arguments.log, title=title)
    raise DataError(f"there is no picture for {tuple(data.dims)}", path=arguments.file)


def _shown(data: xr.Dataset, arguments: Namespace) -> xr.Dataset:
    from mfxarray.minflux.filtering.filters import filter_localizations

    return filter_localizations(data, bounds=bounds_of(arguments))


def _rendered(data: Any, arguments: Namespace) -> xr.DataArray:
    """Return the image that the options ask for."""
    from mfxarray.minflux.rendering.render import render as render_points

    if not {"localization", "trace"} & set(data.dims):
        raise DataError(
            "holds no localizations to render",
            path=arguments.file,
            hint="Give a MINFLUX file; `convert` writes ion images to .tif or .zarr.",
        )
    shown = _shown(data, arguments) if "localization" in data.dims else data
    sigma = None if arguments.sigma_nm is None else arguments.sigma_nm * _NM
    kind = arguments.kind or ("histogram" if sigma is None else "gaussian")
    return render_points(
        shown,
        pixel=(1.0 if arguments.pixel_nm is None else arguments.pixel_nm) * _NM,
        axes=arguments.axes,
        kind=kind,
        sigma=sigma,
        color=arguments.color,
        traces=arguments.traces,
    )


def _write(image: xr.DataArray, out: str, *, overwrite: bool) -> None:
    """Write an image as TIFF or as an OME-Zarr pyramid; a colour becomes a second channel."""
    from mfxarray.stores.ome_zarr import write_ome_zarr
    from mfxarray.stores.tiff import write_tiff

    # files know y upwards and x to the right only, whatever the two axes are
    upwards, right = image.dims[-2:]
    named = image.rename({old: new for old, new in ((upwards, "y"), (right, "x")) if old != new})
    colored = "color" in image.coords
    files: Any = named.reset_coords("color") if colored else named
    if not out.lower().endswith(".zarr"):
        write_tiff(files, out, overwrite=overwrite)
        return
    levels = 1
    while min(image.shape[-2:]) >> levels >= _COARSEST:
        levels += 1
    counted = image.dtype.kind == "u" and not colored
    write_ome_zarr(
        files, out, levels=levels, coarser="sum" if counted else "mean", overwrite=overwrite
    )
