"""What the accessors of both instruments offer."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["Path", "Shared"]

Path = str | os.PathLike[str]


class Shared:
    """What both instruments offer."""

    def __init__(self, data: Any) -> None:
        self._data = data

    @property
    def history(self) -> list[dict[str, Any]]:
        """The recorded steps that led to these data, oldest first."""
        from mfxarray.provenance import history

        return history(self._data.attrs)

    def to_netcdf(self, path: Path, *, compress: bool = False, overwrite: bool = False) -> None:
        """Write a NetCDF 4 file; see `mfxarray.stores.netcdf.write_netcdf`."""
        from mfxarray.stores.netcdf import write_netcdf

        write_netcdf(self._data, path, compress=compress, overwrite=overwrite)

    def to_zarr(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a sealed Zarr store; see `mfxarray.stores.zarr_store.write_zarr`."""
        from mfxarray.stores.zarr_store import write_zarr

        write_zarr(self._data, path, overwrite=overwrite)
