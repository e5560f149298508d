"""The demo's NanoSIMS job: clean, align, sum, stores and pictures of a drifting stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray import plot
from mfxarray.demo.report import Result, Row
from mfxarray.jobs.progress import progress
from mfxarray.mims.align import apply_translations, infer_translations
from mfxarray.mims.hotpixels import infer_hot_pixels, remove_hot_pixels
from mfxarray.opening.mims import open_mims
from mfxarray.simulate.mims import MimsTruth, simulate_mims
from mfxarray.stores.zarr_store import open_zarr_array, write_zarr

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

__all__ = ["mims_job"]

Array = np.ndarray[Any, Any]

_ALIGN_BY = "12C 14N"
_CROP = 32


def mims_job(place: Path, frames: int, pixels: int, seed: int, at: Client | None) -> Result:
    """Return the result of one simulated stack."""
    truth = simulate_mims(place / "raw/stack.im", frames=frames, size=pixels, seed=seed)
    counts = open_mims(place / "raw/stack.im")
    clean = remove_hot_pixels(counts)
    with progress("NanoSIMS: drift", at):
        shifts = infer_translations(clean, _ALIGN_BY).compute()
    with progress("NanoSIMS: aligned stack, sum", at):
        write_zarr(apply_translations(clean, shifts), place / "mims/aligned.zarr", overwrite=True)
        image = open_zarr_array(place / "mims/aligned.zarr").sum("frame", keep_attrs=True)
        write_zarr(image, place / "mims/sum.zarr", overwrite=True)
    with progress("NanoSIMS: hot pixels, pictures", at):
        hot = infer_hot_pixels(counts).compute()
        summed = open_zarr_array(place / "mims/sum.zarr").compute()
        _pictures(place / "mims", summed, shifts, truth)
        _hot_picture(place / "mims", counts, clean, hot, truth)
    rows = (
        Row("frames", counts.sizes["frame"], frames),
        *_hot_rows(hot.values, truth),
        *_drift_rows(shifts, truth),
        *_count_rows(summed, truth, frames),
    )
    names = ("aligned.zarr", "sum.zarr", "sum.png", "drift.png", "hot_pixels.png")
    return Result("NanoSIMS stack", rows, tuple(f"mims/{name}" for name in names), truth.summary())


def _pictures(place: Path, summed: xr.DataArray, shifts: xr.DataArray, truth: MimsTruth) -> None:
    plot.save(plot.ion_images(summed, title="cleaned and aligned"), place / "sum.png")
    picture = plot.drift(shifts, truth=truth.translations, title=f"drift by {_ALIGN_BY}")
    plot.save(picture, place / "drift.png")


def _hot_picture(
    place: Path, counts: xr.DataArray, clean: xr.DataArray, hot: xr.DataArray, truth: MimsTruth
) -> None:
    """Draw the surroundings of the pixel that changed most, in the frame with most hot pixels."""
    frame = int(np.argmax(hot.values.sum(axis=(1, 2))))
    where = {"frame": frame, "detector": truth.labels.index(_ALIGN_BY)}
    before, after = (stack.isel(where).compute() for stack in (counts, clean))
    change = before.values.astype(np.int64) - after.values
    y, x = (int(at) for at in np.unravel_index(np.argmax(change), change.shape))
    window = {"y": _around(y, before.sizes["y"]), "x": _around(x, before.sizes["x"])}
    images = (before.isel(window), after.isel(window), hot.isel(frame=frame).isel(window))
    picture = plot.hot_pixels(*images, title=f"{_ALIGN_BY}, frame {frame}")
    plot.save(picture, place / "hot_pixels.png")


def _around(middle: int, size: int) -> slice:
    low = min(max(middle - _CROP, 0), max(size - 2 * _CROP, 0))
    return slice(low, low + 2 * _CROP)


def _hot_rows(hot: Array, truth: MimsTruth) -> list[Row]:
    true = np.zeros(hot.shape, bool)
    true[tuple(truth.hot_pixels.T)] = True
    return [
        Row("hot pixels found", int((hot & true).sum()), int(true.sum())),
        Row("clean pixels taken for hot", int((hot & ~true).sum()), 0),
    ]


def _drift_rows(shifts: xr.DataArray, truth: MimsTruth) -> list[Row]:
    error = shifts.transpose("frame", "axis").values - truth.translations
    return [
        Row(
            "largest translation", int(abs(shifts).max()), int(abs(truth.translations).max()), "px"
        ),
        Row("drift error, rms", float(np.sqrt(np.mean(error**2.0))), 0.0, "px", 3),
        Row("drift error, largest", int(abs(error).max()), 0, "px"),
        Row("frames without a confident translation", int((~shifts["confident"]).sum()), 0),
    ]


def _count_rows(summed: xr.DataArray, truth: MimsTruth, frames: int) -> list[Row]:
    """Compare counts where every frame looked with the rates of the scene."""
    margin = truth.margin
    rates = truth.rates[:, margin:-margin, margin:-margin]
    full = summed["exposure"].values == frames
    ions = dict(zip(truth.labels, summed.values[:, full].sum(axis=1, dtype=np.int64), strict=True))
    true = dict(zip(truth.labels, frames * rates[:, full].sum(axis=1), strict=True))
    rows = [Row(f"counts of {_ALIGN_BY}", int(ions[_ALIGN_BY]), round(true[_ALIGN_BY]))]
    for rare, common in (("13C", "12C"), ("12C 15N", "12C 14N")):
        known = 1e3 * true[rare] / true[common]
        rows.append(Row(f"{rare} / {common}", 1e3 * ions[rare] / ions[common], known, "‰", 3))
    return rows
