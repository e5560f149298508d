"""The accessor ``ds.mfx``: every method hands over to its function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xarray as xr

from mfxarray.accessors.shapes import Shapes
from mfxarray.accessors.shared import Path

__all__ = ["MfxAccessor"]


@xr.register_dataset_accessor("mfx")
class MfxAccessor(Shapes):
    """Operations on MINFLUX localizations and traces."""

    def filter(
        self,
        *,
        valid: bool = True,
        unmeasured: str = "keep",
        **bounds: tuple[float | None, float | None],
    ) -> xr.Dataset:
        """Mask localizations; see `mfxarray.minflux.filtering.filters.filter_localizations`."""
        from mfxarray.minflux.filtering.filters import filter_localizations

        return filter_localizations(self._data, valid=valid, unmeasured=unmeasured, bounds=bounds)

    def compact(self) -> xr.Dataset:
        """Drop masked localizations; see `mfxarray.minflux.filtering.filters.compact`."""
        from mfxarray.minflux.filtering.filters import compact

        return compact(self._data)

    def last_iteration(self) -> xr.Dataset:
        """Keep the iteration that tells; see `mfxarray.minflux.rows.last_iteration`."""
        from mfxarray.minflux.rows import last_iteration

        return last_iteration(self._data)

    def traces(self, **parameters: Any) -> xr.Dataset:
        """Make one row a trace; see `mfxarray.minflux.traces.table.traces`."""
        from mfxarray.minflux.traces.table import traces

        return traces(self._data, **parameters)

    def mask(self, conditions: Any) -> xr.Dataset:
        """Mask localizations by named conditions; see `mfxarray.minflux.filtering.masks`."""
        from mfxarray.minflux.filtering.masks import mask_localizations

        return mask_localizations(self._data, conditions)

    def funnel(self) -> Any:
        """Count what each mask left; see `mfxarray.minflux.filtering.funnel.funnel`."""
        from mfxarray.minflux.filtering.funnel import funnel

        return funnel(self._data)

    def trim(self, **limits: Any) -> xr.Dataset:
        """Mask short traces and ends of traces.

        See `mfxarray.minflux.traces.trimming.trim_traces`.
        """
        from mfxarray.minflux.traces.trimming import trim_traces

        return trim_traces(self._data, **limits)

    def split_traces(self, *, gap: float) -> xr.Dataset:
        """Split traces at gaps in time; see `mfxarray.minflux.traces.trimming.split_traces`."""
        from mfxarray.minflux.traces.trimming import split_traces

        return split_traces(self._data, gap=gap)

    def aggregate(self, photons: float, **parameters: Any) -> xr.Dataset:
        """Join localizations by photons; see `mfxarray.minflux.traces.aggregation.aggregate`."""
        from mfxarray.minflux.traces.aggregation import aggregate

        return aggregate(self._data, photons, **parameters)

    def weighted_traces(self, weights: Any = "all", **parameters: Any) -> xr.Dataset:
        """Weigh traces by photons.

        See `mfxarray.minflux.traces.aggregation.weighted_trace_means`.
        """
        from mfxarray.minflux.traces.aggregation import weighted_trace_means

        return weighted_trace_means(self._data, weights, **parameters)

    def spread_range(self, field: str, **parameters: Any) -> Any:
        """Suggest bounds around the median; see `mfxarray.minflux.filtering.auto_thresholds`."""
        from mfxarray.minflux.filtering.auto_thresholds import spread_range

        return spread_range(self._data, field, **parameters)

    def peak_range(self, field: str, **parameters: Any) -> Any:
        """Suggest bounds around the main peak; see `mfxarray.minflux.filtering.auto_thresholds`."""
        from mfxarray.minflux.filtering.auto_thresholds import peak_range

        return peak_range(self._data, field, **parameters)

    def correct_by_beads(self, beads: xr.Dataset, **choices: Any) -> xr.Dataset:
        """Correct as Imspector does; see `mfxarray.minflux.beads.correction.correct_by_beads`."""
        from mfxarray.minflux.beads.correction import correct_by_beads

        return correct_by_beads(self._data, beads, **choices)

    def estimate_drift(self, **parameters: Any) -> xr.Dataset:
        """Find the drift by time windows; see `mfxarray.minflux.drift.estimate.estimate_drift`."""
        from mfxarray.minflux.drift.estimate import estimate_drift

        return estimate_drift(self._data, **parameters)

    def correct_drift(self, drift: xr.Dataset, *, replace: bool = False) -> xr.Dataset:
        """Subtract the drift, once; see `mfxarray.minflux.drift.correction.correct_drift`."""
        from mfxarray.minflux.drift.correction import correct_drift

        return correct_drift(self._data, drift, replace=replace)

    def localization_bounds(self, **parameters: Any) -> xr.Dataset:
        """Bound precision by photons.

        See `mfxarray.minflux.traces.precision.localization_bounds`.
        """
        from mfxarray.minflux.traces.precision import localization_bounds

        return localization_bounds(self._data, **parameters)

    def trace_precision(self, bounds: xr.Dataset | None = None, **parameters: Any) -> xr.Dataset:
        """Tell the precision of traces; see `mfxarray.minflux.traces.precision.trace_precision`."""
        from mfxarray.minflux.traces.precision import trace_precision

        return trace_precision(self._data, bounds, **parameters)

    def statistics(self, **parameters: Any) -> xr.Dataset:
        """Tell how good a measurement is; see `mfxarray.minflux.sheet.sheet.statistics`."""
        from mfxarray.minflux.sheet.sheet import statistics

        return statistics(self._data, **parameters)

    def photons(
        self,
        which: str = "last",
        *,
        sequence: Any = None,
        iterations: Iterable[int] | None = None,
    ) -> xr.DataArray:
        """Count photons; see `mfxarray.minflux.photons.photons`."""
        from mfxarray.minflux.photons import photons

        return photons(self._data, which, sequence=sequence, iterations=iterations)

    def scale_z(self, factor: float) -> xr.Dataset:
        """Scale z, once; see `mfxarray.minflux.scale_z.scale_z`."""
        from mfxarray.minflux.scale_z import scale_z

        return scale_z(self._data, factor)

    def to_parquet(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a sealed Parquet folder; see `mfxarray.stores.parquet.write_parquet`."""
        from mfxarray.stores.parquet import write_parquet

        write_parquet(self._data, path, overwrite=overwrite)

    def to_csv(
        self,
        path: Path,
        *,
        layout: str = "plain",
        position: str | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write a csv table; see `mfxarray.stores.csv_table.write_csv`."""
        from mfxarray.stores.csv_table import write_csv

        write_csv(self._data, path, layout=layout, position=position, overwrite=overwrite)

    def to_matlab_csv(self, path: Path, *, overwrite: bool = False) -> Any:
        """Write the three tables of MATLAB; see `mfxarray.stores.csv_table.write_matlab_csv`."""
        from mfxarray.stores.csv_table import write_matlab_csv

        return write_matlab_csv(self._data, path, overwrite=overwrite)

    def to_vtu(
        self, path: Path, *, unit: str = "m", overwrite: bool = False, **choices: Any
    ) -> Any:
        """Write points for ParaView; see `mfxarray.stores.vtu.write_vtu`."""
        from mfxarray.stores.vtu import write_vtu

        return write_vtu(self._data, path, unit=unit, overwrite=overwrite, **choices)

    def to_aligned(self, path: Path, fit: Any = None, *, overwrite: bool = False) -> Any:
        """Write washes as the Python seed does; see `mfxarray.stores.aligned.write_aligned`."""
        from mfxarray.stores.aligned import write_aligned

        return write_aligned(self._data, path, fit, overwrite=overwrite)
