"""Structures and tracks of ``ds.mfx``: every method hands over to its function."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mfxarray.accessors.analyses import Analyses

__all__ = ["Shapes"]


class Shapes(Analyses):
    """Structures, and how molecules move."""

    def fit_circles(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Fit a circle to each cluster.

        See `mfxarray.minflux.structures.structures.fit_circles`.
        """
        from mfxarray.minflux.structures.structures import fit_circles

        return fit_circles(self._data, clusters, **parameters)

    def find_pores(self, **parameters: Any) -> xr.Dataset:
        """Find and fit nuclear pores; see `mfxarray.minflux.structures.pores.find_pores`."""
        from mfxarray.minflux.structures.pores import find_pores

        return find_pores(self._data, **parameters)

    def pore_of_points(self, pores: xr.Dataset, **parameters: Any) -> xr.DataArray:
        """Name the nearest pore; see `mfxarray.minflux.structures.pores.pore_of_points`."""
        from mfxarray.minflux.structures.pores import pore_of_points

        return pore_of_points(self._data, pores, **parameters)

    def average_pores(self, pores: xr.Dataset, **parameters: Any) -> xr.DataArray:
        """Lay pores over each other.

        See `mfxarray.minflux.structures.pore_average.average_pores`.
        """
        from mfxarray.minflux.structures.pore_average import average_pores

        return average_pores(self._data, pores, **parameters)

    def find_aggregates(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Find bead-like clusters; see `mfxarray.minflux.structures.aggregates.find_aggregates`."""
        from mfxarray.minflux.structures.aggregates import find_aggregates

        return find_aggregates(self._data, clusters, **parameters)

    def filament_widths(self, clusters: Any = "cluster", **parameters: Any) -> xr.Dataset:
        """Measure filaments; see `mfxarray.minflux.structures.filaments.filament_widths`."""
        from mfxarray.minflux.structures.filaments import filament_widths

        return filament_widths(self._data, clusters, **parameters)

    def msd(self, **parameters: Any) -> xr.Dataset:
        """Average squared displacements; see `mfxarray.minflux.tracking.tracking.msd`."""
        from mfxarray.minflux.tracking.tracking import msd

        return msd(self._data, **parameters)

    def diffusion(self, method: str = "cve", **parameters: Any) -> xr.Dataset:
        """Find how fast molecules diffuse; see `mfxarray.minflux.tracking.tracking.diffusion`."""
        from mfxarray.minflux.tracking.tracking import diffusion

        return diffusion(self._data, method, **parameters)

    def classify_motion(self, **parameters: Any) -> xr.Dataset:
        """Tell kinds of motion; see `mfxarray.minflux.tracking.tracking.classify_motion`."""
        from mfxarray.minflux.tracking.tracking import classify_motion

        return classify_motion(self._data, **parameters)

    def jump_distances(self, **parameters: Any) -> xr.Dataset:
        """Count jumps by distance; see `mfxarray.minflux.tracking.tracking.jump_distances`."""
        from mfxarray.minflux.tracking.tracking import jump_distances

        return jump_distances(self._data, **parameters)

    def dwell_times(self, **parameters: Any) -> xr.Dataset:
        """Fit times of binding; see `mfxarray.minflux.tracking.tracking.dwell_times`."""
        from mfxarray.minflux.tracking.tracking import dwell_times

        return dwell_times(self._data, **parameters)

    def dead_times(self, **parameters: Any) -> xr.Dataset:
        """Fit times between events; see `mfxarray.minflux.tracking.tracking.dead_times`."""
        from mfxarray.minflux.tracking.tracking import dead_times

        return dead_times(self._data, **parameters)

    def speed(self, **parameters: Any) -> xr.Dataset:
        """Tell speeds along traces; see `mfxarray.minflux.tracking.tracking.speed`."""
        from mfxarray.minflux.tracking.tracking import speed

        return speed(self._data, **parameters)

    def track_table(self, **parameters: Any) -> xr.Dataset:
        """Make one row a track; see `mfxarray.minflux.tracking.table.track_table`."""
        from mfxarray.minflux.tracking.table import track_table

        return track_table(self._data, **parameters)
