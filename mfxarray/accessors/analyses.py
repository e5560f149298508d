"""The analyses of ``ds.mfx``: every method hands over to its function."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mfxarray.accessors.shared import Shared

__all__ = ["Analyses"]


class Analyses(Shared):
    """What is found out from localizations or traces that were filtered and corrected."""

    def render(self, **parameters: Any) -> xr.DataArray:
        """Draw localizations; see `mfxarray.minflux.rendering.render`."""
        from mfxarray.minflux.rendering import render

        return render(self._data, **parameters)

    def photon_weighted(self, field: str = "dcr", **parameters: Any) -> xr.DataArray:
        """Weigh iterations by photons; see `mfxarray.minflux.channels.photon_weighted`."""
        from mfxarray.minflux.channels import photon_weighted

        return photon_weighted(self._data, field, **parameters)

    def fit_mixture(self, field: str = "dcr", components: int = 2, **parameters: Any) -> xr.Dataset:
        """Fit Gaussians to a field; see `mfxarray.minflux.channels.fit_mixture`."""
        from mfxarray.minflux.channels import fit_mixture

        return fit_mixture(self._data, field, components, **parameters)

    def choose_components(self, field: str = "dcr", most: int = 4, **parameters: Any) -> xr.Dataset:
        """Find how many fluorophores; see `mfxarray.minflux.channels.choose_components`."""
        from mfxarray.minflux.channels import choose_components

        return choose_components(self._data, field, most, **parameters)

    def assign_channels(self, fit: xr.Dataset | None = None, **parameters: Any) -> xr.Dataset:
        """Name the fluorophores; see `mfxarray.minflux.channels.assign_channels`."""
        from mfxarray.minflux.channels import assign_channels

        return assign_channels(self._data, fit, **parameters)
