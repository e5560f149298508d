"""The commands for ion images: clean and align."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mfxarray.commands.files import check_output, client_of, open_ions, summary_of_output
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["align", "clean", "cleaned", "with_drift"]

_HOT = (
    "num_outliers",
    "kernel_size",
    "outlier_factor",
    "min_count",
    "max_repeat_fraction",
    "num_nonzero",
    "false_positives",
    "method",
)
_REPLACING = ("replacement", "seed")
_MOST_FRAMES = 40


def clean(arguments: Namespace) -> None:
    """Write a stack without hot pixels to a Zarr store."""
    from mfxarray.display import number

    out = check_output(arguments, ".zarr")
    counts = open_ions(arguments, roll=_roll(arguments))
    result = cleaned(counts, _hot_parameters(arguments))
    written = _write(result, out, arguments, "finding and replacing hot pixels")
    hot = int(written.coords["hot_pixels"].sum())
    print(f"replaced {number(hot)} pixels in {number(result.sizes['frame'])} frames")
    print(summary_of_output(out))


def align(arguments: Namespace) -> None:
    """Write a stack without drift to a Zarr store, and print the drift."""
    from mfxarray.mims.align import apply_translations, infer_translations

    out = check_output(arguments, ".zarr")
    counts = open_ions(arguments, roll=_roll(arguments))
    if arguments.clean:
        counts = cleaned(counts, _hot_parameters(arguments))
    settings: dict[str, Any] = {"max_shift": arguments.max_shift}
    if arguments.preset == "seed":
        padding = 8 if arguments.padding is None else arguments.padding
        settings = {"method": "seed", "padding": padding}
    shifts = infer_translations(counts, arguments.detector or None, **settings)
    aligned = apply_translations(counts, shifts, padding=arguments.padding)
    written = _write(with_drift(aligned, shifts), out, arguments, "finding and undoing the drift")
    print("\n".join(_drift_lines(written)))
    print(summary_of_output(out))


def cleaned(counts: xr.DataArray, parameters: dict[str, Any]) -> xr.DataArray:
    """Return counts without hot pixels; the coordinate ``hot_pixels`` counts them a frame."""
    from mfxarray.mims.hotpixels import (
        DEFAULT_METHOD,
        REMOVAL_DEFAULTS,
        infer_hot_pixels,
        remove_hot_pixels,
    )

    # equal parameters give equal tasks, so the mask is not made twice
    found = {**REMOVAL_DEFAULTS[parameters.get("method", DEFAULT_METHOD)], **parameters}
    rule = {name: value for name, value in found.items() if name not in _REPLACING}
    mask = infer_hot_pixels(counts, **rule)
    text = {"long_name": "hot pixels replaced", "units": "1"}
    hot = ("frame", mask.data.sum(axis=(1, 2)), text)
    return remove_hot_pixels(counts, **found).assign_coords(hot_pixels=hot)


def with_drift(aligned: xr.DataArray, shifts: xr.DataArray) -> xr.DataArray:
    """Return aligned counts that carry their translations as coordinates along ``frame``."""
    coords: dict[str, Any] = {
        f"d{axis}": (
            "frame",
            shifts.isel(axis=number).data,
            {"units": "pixel", "long_name": f"{shifts.attrs['long_name']} along {axis}"},
        )
        for number, axis in enumerate("yx")
    }
    for name in ("score", "confident"):
        if name in shifts.coords:
            coords[name] = shifts.coords[name].variable
    return aligned.assign_coords(coords)


def _write(data: xr.DataArray, out: str, arguments: Namespace, label: str) -> xr.DataArray:
    from mfxarray.stores.zarr_store import open_zarr_array, write_zarr

    with (
        client_of(arguments) as at,
        progress(label, at),
    ):
        write_zarr(data, out, overwrite=arguments.overwrite)
    return open_zarr_array(out)


def _hot_parameters(arguments: Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in (*_HOT, *_REPLACING)}
    found = {name: value for name, value in given.items() if value is not None}
    return {**found, "method": "seed"} if arguments.preset == "seed" else found


def _roll(arguments: Namespace) -> tuple[int, int]:
    return tuple(arguments.roll)  # type: ignore[return-value]


def _drift_lines(aligned: xr.DataArray) -> Iterator[str]:
    dy, dx = (aligned.coords[name].values for name in ("dy", "dx"))
    sure = aligned.coords["confident"].values if "confident" in aligned.coords else None
    yield "  frame    dy    dx   (translation, pixels)"
    for frame in range(min(len(dy), _MOST_FRAMES)):
        note = "" if sure is None or sure[frame] else "   not confident"
        yield f"  {frame:5d} {dy[frame]:5d} {dx[frame]:5d}{note}"
    if len(dy) > _MOST_FRAMES:
        yield f"  ... {len(dy) - _MOST_FRAMES} more, in the coordinates dy and dx of the store"
    yield f"largest: {abs(dy).max()} pixels along y, {abs(dx).max()} along x"
    if sure is not None and not sure.all():
        yield f"{int((~sure).sum())} of {len(sure)} frames without a confident translation"
