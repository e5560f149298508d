"""The analyses of ``ds.mfx``: every method hands over to its function."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mfxarray.accessors.shared import Shared

__all__ = ["Analyses"]


class Analyses(Shared):
    """Images, resolution, channels, clusters and colocalization."""

    def render(self, **parameters: Any) -> xr.DataArray:
        """Draw localizations; see `mfxarray.minflux.rendering.render.render`."""
        from mfxarray.minflux.rendering.render import render

        return render(self._data, **parameters)

    def photon_weighted(self, field: str = "dcr", **parameters: Any) -> xr.DataArray:
        """Weigh iterations by photons; see `mfxarray.minflux.channels.mixture.photon_weighted`."""
        from mfxarray.minflux.channels.mixture import photon_weighted

        return photon_weighted(self._data, field, **parameters)

    def fit_mixture(self, field: str = "dcr", components: int = 2, **parameters: Any) -> xr.Dataset:
        """Fit Gaussians to a field; see `mfxarray.minflux.channels.mixture.fit_mixture`."""
        from mfxarray.minflux.channels.mixture import fit_mixture

        return fit_mixture(self._data, field, components, **parameters)

    def choose_components(self, field: str = "dcr", most: int = 4, **parameters: Any) -> xr.Dataset:
        """Find how many fluorophores; see `mfxarray.minflux.channels.mixture.choose_components`."""
        from mfxarray.minflux.channels.mixture import choose_components

        return choose_components(self._data, field, most, **parameters)

    def assign_channels(self, fit: xr.Dataset | None = None, **parameters: Any) -> xr.Dataset:
        """Name the fluorophores; see `mfxarray.minflux.channels.mixture.assign_channels`."""
        from mfxarray.minflux.channels.mixture import assign_channels

        return assign_channels(self._data, fit, **parameters)

    def resolution(self, **parameters: Any) -> xr.Dataset:
        """Correlate random halves; see `mfxarray.minflux.resolution.correlate.resolution`."""
        from mfxarray.minflux.resolution.correlate import resolution

        return resolution(self._data, **parameters)

    def resolution_over_time(self, times: Any, **parameters: Any) -> xr.Dataset:
        """Tell how it improves.

        See `mfxarray.minflux.resolution.correlate.resolution_over_time`.
        """
        from mfxarray.minflux.resolution.correlate import resolution_over_time

        return resolution_over_time(self._data, times, **parameters)

    def dbscan(self, *, eps: float, min_samples: int = 3, **parameters: Any) -> xr.DataArray:
        """Find clusters by density; see `mfxarray.minflux.clusters.dbscan.dbscan`."""
        from mfxarray.minflux.clusters.dbscan import dbscan

        return dbscan(self._data, eps=eps, min_samples=min_samples, **parameters)

    def split_emitters(self, method: str = "dbscan", **parameters: Any) -> xr.Dataset:
        """Split traces of several emitters.

        See `mfxarray.minflux.clusters.splitting.split_emitters`.
        """
        from mfxarray.minflux.clusters.splitting import split_emitters

        return split_emitters(self._data, method, **parameters)

    def clean_clusters(self, labels: Any = "cluster", **parameters: Any) -> xr.DataArray:
        """Give a track one cluster; see `mfxarray.minflux.clusters.cleanup.clean_clusters`."""
        from mfxarray.minflux.clusters.cleanup import clean_clusters

        return clean_clusters(self._data, labels, **parameters)

    def track_summary(self, **parameters: Any) -> xr.Dataset:
        """Sum up each track; see `mfxarray.minflux.clusters.track_summary.track_summary`."""
        from mfxarray.minflux.clusters.track_summary import track_summary

        return track_summary(self._data, **parameters)

    def local_density(self, **parameters: Any) -> xr.Dataset:
        """Count neighbours; see `mfxarray.minflux.clusters.density.local_density`."""
        from mfxarray.minflux.clusters.density import local_density

        return local_density(self._data, **parameters)

    def nearest_neighbour(self, **parameters: Any) -> xr.Dataset:
        """Find the nearest neighbour; see `mfxarray.minflux.clusters.density.nearest_neighbour`."""
        from mfxarray.minflux.clusters.density import nearest_neighbour

        return nearest_neighbour(self._data, **parameters)

    def voronoi_density(self, **parameters: Any) -> xr.Dataset:
        """Tell the size of Voronoi cells.

        See `mfxarray.minflux.clusters.density.voronoi_density`.
        """
        from mfxarray.minflux.clusters.density import voronoi_density

        return voronoi_density(self._data, **parameters)

    def colocalize(self, **parameters: Any) -> xr.Dataset:
        """Count channels in joint clusters.

        See `mfxarray.minflux.colocalization.colocalize.colocalize`.
        """
        from mfxarray.minflux.colocalization.colocalize import colocalize

        return colocalize(self._data, **parameters)

    def pair_correlation(self, **parameters: Any) -> xr.Dataset:
        """Count pairs by distance.

        See `mfxarray.minflux.colocalization.pair_correlation.pair_correlation`.
        """
        from mfxarray.minflux.colocalization.pair_correlation import pair_correlation

        return pair_correlation(self._data, **parameters)

    def channel_distances(self, **parameters: Any) -> xr.Dataset:
        """Tell distances.

        See `mfxarray.minflux.colocalization.channel_distances.channel_distances`.
        """
        from mfxarray.minflux.colocalization.channel_distances import channel_distances

        return channel_distances(self._data, **parameters)

    def coloc_null(self, **parameters: Any) -> xr.Dataset:
        """Compare colocalization with chance.

        See `mfxarray.minflux.colocalization.nulls.coloc_null`.
        """
        from mfxarray.minflux.colocalization.nulls import coloc_null

        return coloc_null(self._data, **parameters)

    def correlation_null(self, **parameters: Any) -> xr.Dataset:
        """Compare g(r) with chance.

        See `mfxarray.minflux.colocalization.nulls.correlation_null`.
        """
        from mfxarray.minflux.colocalization.nulls import correlation_null

        return correlation_null(self._data, **parameters)
