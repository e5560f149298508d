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

    def resolution(self, **parameters: Any) -> xr.Dataset:
        """Correlate random halves; see `mfxarray.minflux.resolution.resolution`."""
        from mfxarray.minflux.resolution import resolution

        return resolution(self._data, **parameters)

    def resolution_over_time(self, times: Any, **parameters: Any) -> xr.Dataset:
        """Tell how it improves; see `mfxarray.minflux.resolution.resolution_over_time`."""
        from mfxarray.minflux.resolution import resolution_over_time

        return resolution_over_time(self._data, times, **parameters)

    def dbscan(self, *, eps: float, min_samples: int = 3, **parameters: Any) -> xr.DataArray:
        """Find clusters by density; see `mfxarray.minflux.clusters.dbscan`."""
        from mfxarray.minflux.clusters import dbscan

        return dbscan(self._data, eps=eps, min_samples=min_samples, **parameters)

    def split_emitters(self, method: str = "dbscan", **parameters: Any) -> xr.Dataset:
        """Split traces of several emitters; see `mfxarray.minflux.splitting.split_emitters`."""
        from mfxarray.minflux.splitting import split_emitters

        return split_emitters(self._data, method, **parameters)

    def clean_clusters(self, labels: Any = "cluster", **parameters: Any) -> xr.DataArray:
        """Give a track one cluster; see `mfxarray.minflux.cluster_cleanup.clean_clusters`."""
        from mfxarray.minflux.cluster_cleanup import clean_clusters

        return clean_clusters(self._data, labels, **parameters)

    def track_summary(self, **parameters: Any) -> xr.Dataset:
        """Sum up each track; see `mfxarray.minflux.track_summary.track_summary`."""
        from mfxarray.minflux.track_summary import track_summary

        return track_summary(self._data, **parameters)

    def local_density(self, **parameters: Any) -> xr.Dataset:
        """Count neighbours; see `mfxarray.minflux.density.local_density`."""
        from mfxarray.minflux.density import local_density

        return local_density(self._data, **parameters)

    def nearest_neighbour(self, **parameters: Any) -> xr.Dataset:
        """Find the nearest neighbour; see `mfxarray.minflux.density.nearest_neighbour`."""
        from mfxarray.minflux.density import nearest_neighbour

        return nearest_neighbour(self._data, **parameters)

    def fit_circles(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Fit a circle to each cluster; see `mfxarray.minflux.structures.fit_circles`."""
        from mfxarray.minflux.structures import fit_circles

        return fit_circles(self._data, clusters, **parameters)

    def find_pores(self, **parameters: Any) -> xr.Dataset:
        """Find and fit nuclear pores; see `mfxarray.minflux.pores.find_pores`."""
        from mfxarray.minflux.pores import find_pores

        return find_pores(self._data, **parameters)

    def pore_of_points(self, pores: xr.Dataset, **parameters: Any) -> xr.DataArray:
        """Name the nearest pore; see `mfxarray.minflux.pores.pore_of_points`."""
        from mfxarray.minflux.pores import pore_of_points

        return pore_of_points(self._data, pores, **parameters)

    def average_pores(self, pores: xr.Dataset, **parameters: Any) -> xr.DataArray:
        """Lay pores over each other; see `mfxarray.minflux.pore_average.average_pores`."""
        from mfxarray.minflux.pore_average import average_pores

        return average_pores(self._data, pores, **parameters)

    def find_aggregates(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Find bead-like clusters; see `mfxarray.minflux.aggregates.find_aggregates`."""
        from mfxarray.minflux.aggregates import find_aggregates

        return find_aggregates(self._data, clusters, **parameters)

    def filament_widths(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Measure filaments; see `mfxarray.minflux.filaments.filament_widths`."""
        from mfxarray.minflux.filaments import filament_widths

        return filament_widths(self._data, clusters, **parameters)
