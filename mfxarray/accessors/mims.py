"""The accessors ``da.mims`` of counts and ``ds.mims`` of corrected counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from mfxarray.accessors.shared import Path, Shared

if TYPE_CHECKING:
    from mfxarray.mims.header import MimsHeader

Species = str | Sequence[str]

__all__ = ["CountsAccessor", "MimsAccessor"]


@xr.register_dataset_accessor("mims")
class CountsAccessor(Shared):
    """Operations on ion counts with their variance, and on plain counts."""

    @property
    def header(self) -> MimsHeader:
        """The whole header of the file that the images were opened from."""
        from mfxarray.mims.header import header_of

        return header_of(self._data.attrs)

    def correct(self, **parameters: Any) -> xr.Dataset:
        """Correct counts, step by step; see `mfxarray.mims.corrections.correct`."""
        from mfxarray.mims.corrections import correct

        return correct(self._data, **parameters)

    def subtract_background(self, background: Any = "header", **parameters: Any) -> xr.Dataset:
        """Subtract the background; see `mfxarray.mims.corrections.subtract_background`."""
        from mfxarray.mims.corrections import subtract_background

        return subtract_background(self._data, background, **parameters)

    def correct_dead_time(self, dead_time: Any = "header", **parameters: Any) -> xr.Dataset:
        """Correct for the dead time; see `mfxarray.mims.corrections.correct_dead_time`."""
        from mfxarray.mims.corrections import correct_dead_time

        return correct_dead_time(self._data, dead_time, **parameters)

    def divide_yield(self, yields: Any = "header") -> xr.Dataset:
        """Divide by the yield of the detectors; see `mfxarray.mims.corrections.divide_yield`."""
        from mfxarray.mims.corrections import divide_yield

        return divide_yield(self._data, yields)

    def correct_qsa(self, **parameters: Any) -> xr.Dataset:
        """Correct for ions that arrive together; see `mfxarray.mims.corrections.correct_qsa`."""
        from mfxarray.mims.corrections import correct_qsa

        return correct_qsa(self._data, **parameters)

    def drop_frames(self, bad: Any = None, **parameters: Any) -> Any:
        """Leave out bad frames; see `mfxarray.mims.bad_frames.drop_frames`."""
        from mfxarray.mims.bad_frames import drop_frames

        return drop_frames(self._data, bad, **parameters)

    def infer_translations(
        self, detector: str | Sequence[str] | None = None, **parameters: Any
    ) -> xr.DataArray:
        """Find the drift; see `mfxarray.mims.align.infer_translations`."""
        from mfxarray.mims.align import infer_translations

        return infer_translations(self._data, detector, **parameters)

    def apply_translations(self, translations: Any, **parameters: Any) -> Any:
        """Undo the drift; see `mfxarray.mims.align.apply_translations`."""
        from mfxarray.mims.align import apply_translations

        return apply_translations(self._data, translations, **parameters)

    def accumulate(self, frames: Any = None, **parameters: Any) -> Any:
        """Sum frames; see `mfxarray.mims.accumulate.accumulate`."""
        from mfxarray.mims.accumulate import accumulate

        return accumulate(self._data, frames, **parameters)

    def ratio(self, numerator: Species, denominator: Species, **parameters: Any) -> xr.Dataset:
        """Divide two species, with error and interval; see `mfxarray.mims.ratios.ratio`."""
        from mfxarray.mims.ratios import ratio

        return ratio(self._data, numerator, denominator, **parameters)

    def fraction(self, part: Species, rest: Species, **parameters: Any) -> xr.Dataset:
        """Give the share of a species, with its error; see `mfxarray.mims.ratios.fraction`."""
        from mfxarray.mims.ratios import fraction

        return fraction(self._data, part, rest, **parameters)

    def delta(
        self, numerator: str, denominator: str, standard: Any, **parameters: Any
    ) -> xr.Dataset:
        """Give the deviation from a standard, in permil; see `mfxarray.mims.ratios.delta`."""
        from mfxarray.mims.ratios import delta

        return delta(self._data, numerator, denominator, standard, **parameters)

    def turnover(self, numerator: Species, denominator: Species, **parameters: Any) -> xr.Dataset:
        """Give the percent turnover; see `mfxarray.mims.ratios.turnover`."""
        from mfxarray.mims.ratios import turnover

        return turnover(self._data, numerator, denominator, **parameters)

    def expression(self, formula: str, **parameters: Any) -> xr.Dataset:
        """Evaluate any formula of detectors; see `mfxarray.mims.ratios.expression`."""
        from mfxarray.mims.ratios import expression

        return expression(self._data, formula, **parameters)

    def hsi(self, numerator: Species, denominator: Species, **parameters: Any) -> xr.Dataset:
        """Make a ratio image in colour; see `mfxarray.mims.hsi.hsi`."""
        from mfxarray.mims.hsi import hsi

        return hsi(self._data, numerator, denominator, **parameters)

    def region_table(self, regions: Any, **parameters: Any) -> xr.Dataset:
        """Make one row a region; see `mfxarray.mims.region_tables.region_table`."""
        from mfxarray.mims.region_tables import region_table

        return region_table(self._data, regions, **parameters)

    def depth_profile(self, regions: Any = None, **parameters: Any) -> xr.Dataset:
        """Follow regions along frames; see `mfxarray.mims.profiles.depth_profile`."""
        from mfxarray.mims.profiles import depth_profile

        return depth_profile(self._data, regions, **parameters)

    def line_profile(self, start: Any, stop: Any, **parameters: Any) -> xr.Dataset:
        """Sum counts along a line; see `mfxarray.mims.profiles.line_profile`."""
        from mfxarray.mims.profiles import line_profile

        return line_profile(self._data, start, stop, **parameters)

    def counting_check(self, regions: Any = None, **parameters: Any) -> xr.Dataset:
        """Compare scatter with Poisson's; see `mfxarray.mims.counting_check.counting_check`."""
        from mfxarray.mims.counting_check import counting_check

        return counting_check(self._data, regions, **parameters)

    def plot(self, **parameters: Any) -> Any:
        """Draw the images of detectors; see `mfxarray.plot.images.ion_images`."""
        from mfxarray.plot import ion_images

        return ion_images(self._data, **parameters)

    def plot_ratio(self, **parameters: Any) -> Any:
        """Draw a result of ratio, delta ...; see `mfxarray.plot.ratios.ratio_images`."""
        from mfxarray.plot import ratio_images

        return ratio_images(self._data, **parameters)

    def plot_hsi(self, **parameters: Any) -> Any:
        """Draw a result of hsi with its legend; see `mfxarray.plot.ratios.hsi`."""
        from mfxarray.plot import hsi

        return hsi(self._data, **parameters)

    def plot_profile(self, name: str | Sequence[str] = "counts", **parameters: Any) -> Any:
        """Draw a depth or line profile with errors; see `mfxarray.plot.profiles.profile`."""
        from mfxarray.plot import profile

        return profile(self._data, name, **parameters)

    def plot_regions(self, regions: xr.DataArray, detector: str, **parameters: Any) -> Any:
        """Draw regions over an image; see `mfxarray.plot.regions.regions`."""
        from mfxarray.plot import regions as draw

        return draw(self._data, regions, detector, **parameters)

    def to_tiff(self, path: Path, **parameters: Any) -> None:
        """Write a hyperstack for ImageJ; see `mfxarray.stores.tiff.write_tiff`."""
        from mfxarray.stores.tiff import write_tiff

        write_tiff(self._data, path, **parameters)

    def to_ome_zarr(self, path: Path, **parameters: Any) -> None:
        """Write an OME-Zarr image; see `mfxarray.stores.ome_zarr.write_ome_zarr`."""
        from mfxarray.stores.ome_zarr import write_ome_zarr

        write_ome_zarr(self._data, path, **parameters)

    def to_parquet(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a table or profile as Parquet; see `mfxarray.stores.parquet.write_parquet`."""
        from mfxarray.stores.parquet import write_parquet

        write_parquet(self._data, path, overwrite=overwrite)

    def to_nrrd(self, path: Path, **parameters: Any) -> None:
        """Write an OpenMIMS file; see `mfxarray.stores.nrrd.write_nrrd`."""
        from mfxarray.stores.nrrd import write_nrrd

        write_nrrd(path, self._data, **parameters)


@xr.register_dataarray_accessor("mims")
class MimsAccessor(CountsAccessor):
    """Operations on NanoSIMS ion images as they were counted."""

    def infer_hot_pixels(self, **parameters: Any) -> xr.DataArray:
        """Find hot pixels; see `mfxarray.mims.hotpixels.infer_hot_pixels`."""
        from mfxarray.mims.hotpixels import infer_hot_pixels

        return infer_hot_pixels(self._data, **parameters)

    def apply_mask(self, mask: xr.DataArray, **parameters: Any) -> xr.DataArray:
        """Replace masked pixels; see `mfxarray.mims.hotpixels.apply_mask`."""
        from mfxarray.mims.hotpixels import apply_mask

        return apply_mask(self._data, mask, **parameters)

    def remove_hot_pixels(self, **parameters: Any) -> xr.DataArray:
        """Find and replace hot pixels; see `mfxarray.mims.hotpixels.remove_hot_pixels`."""
        from mfxarray.mims.hotpixels import remove_hot_pixels

        return remove_hot_pixels(self._data, **parameters)

    def frame_quality(self, **parameters: Any) -> xr.Dataset:
        """Judge the totals of frames; see `mfxarray.mims.bad_frames.frame_quality`."""
        from mfxarray.mims.bad_frames import frame_quality

        return frame_quality(self._data, **parameters)

    def bad_frames(self, **parameters: Any) -> xr.DataArray:
        """Tell which frames are of no use; see `mfxarray.mims.bad_frames.bad_frames`."""
        from mfxarray.mims.bad_frames import bad_frames

        return bad_frames(self._data, **parameters)

    def remove_spikes(
        self, detectors: Sequence[str] | None = None, **parameters: Any
    ) -> xr.DataArray:
        """Replace spikes of electron images; see `mfxarray.mims.spikes.remove_spikes`."""
        from mfxarray.mims.spikes import remove_spikes

        return remove_spikes(self._data, detectors, **parameters)

    def recorded_pixels(self) -> xr.DataArray:
        """Tell which pixels were recorded; see `mfxarray.mims.recorded.recorded_pixels`."""
        from mfxarray.mims.recorded import recorded_pixels

        return recorded_pixels(self._data)

    def threshold_regions(self, threshold: float | str = "otsu", **parameters: Any) -> xr.DataArray:
        """Find bright parts; see `mfxarray.mims.region_finding.threshold_regions`."""
        from mfxarray.mims.region_finding import threshold_regions

        return threshold_regions(self._data, threshold, **parameters)

    def watershed_regions(self, markers: Any = None, **parameters: Any) -> xr.DataArray:
        """Split bright parts; see `mfxarray.mims.region_finding.watershed_regions`."""
        from mfxarray.mims.region_finding import watershed_regions

        return watershed_regions(self._data, markers, **parameters)

    def saturation(self, **parameters: Any) -> Any:
        """Find saturated pixels; see `mfxarray.mims.saturation.saturation`."""
        from mfxarray.mims.saturation import saturation

        return saturation(self._data, **parameters)

    def plot_drift(self, ax: Any = None) -> Any:
        """Draw translations against frames; see `mfxarray.plot.ions.translations`."""
        from mfxarray.plot import translations

        return translations(self._data, ax)
