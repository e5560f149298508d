"""The accessor ``ds.mfx``: every method hands over to its function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xarray as xr

from mfxarray.accessors.shared import Path, Shared

__all__ = ["MfxAccessor"]


@xr.register_dataset_accessor("mfx")
class MfxAccessor(Shared):
    """Operations on MINFLUX localizations and traces."""

    def filter(
        self,
        *,
        valid: bool = True,
        unmeasured: str = "keep",
        **bounds: tuple[float | None, float | None],
    ) -> xr.Dataset:
        """Mask localizations; see `mfxarray.minflux.filters.filter_localizations`."""
        from mfxarray.minflux.filters import filter_localizations

        return filter_localizations(self._data, valid=valid, unmeasured=unmeasured, bounds=bounds)

    def compact(self) -> xr.Dataset:
        """Drop masked localizations; see `mfxarray.minflux.filters.compact`."""
        from mfxarray.minflux.filters import compact

        return compact(self._data)

    def last_iteration(self) -> xr.Dataset:
        """Keep the iteration that tells; see `mfxarray.minflux.rows.last_iteration`."""
        from mfxarray.minflux.rows import last_iteration

        return last_iteration(self._data)

    def traces(self, *, ddof: int = 1) -> xr.Dataset:
        """Make one row a trace; see `mfxarray.minflux.traces.traces`."""
        from mfxarray.minflux.traces import traces

        return traces(self._data, ddof=ddof)

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
