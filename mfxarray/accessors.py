"""The accessors ``ds.mfx`` and ``da.mims``: names only, every method hands over to its function."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import xarray as xr

__all__ = ["MfxAccessor", "MimsAccessor"]

Path = str | os.PathLike[str]


class _Shared:
    """What both instruments offer."""

    def __init__(self, data: Any) -> None:
        self._data = data

    @property
    def history(self) -> list[dict[str, Any]]:
        """The recorded steps that led to these data, oldest first."""
        from mfxarray.provenance import history

        return history(self._data.attrs)

    def to_zarr(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a sealed Zarr store; see `mfxarray.stores.zarr_store.write_zarr`."""
        from mfxarray.stores.zarr_store import write_zarr

        write_zarr(self._data, path, overwrite=overwrite)


@xr.register_dataset_accessor("mfx")
class MfxAccessor(_Shared):
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


@xr.register_dataarray_accessor("mims")
class MimsAccessor(_Shared):
    """Operations on NanoSIMS ion images."""

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

    def infer_translations(
        self, detector: str | Sequence[str] | None = None, **parameters: Any
    ) -> xr.DataArray:
        """Find the drift; see `mfxarray.mims.align.infer_translations`."""
        from mfxarray.mims.align import infer_translations

        return infer_translations(self._data, detector, **parameters)

    def apply_translations(self, translations: xr.DataArray, **parameters: Any) -> xr.DataArray:
        """Undo the drift; see `mfxarray.mims.align.apply_translations`."""
        from mfxarray.mims.align import apply_translations

        return apply_translations(self._data, translations, **parameters)
