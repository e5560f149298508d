"""Labelled, lazy operations on MINFLUX localizations."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Box": "filtering.masks",
    "Dense": "filtering.trace_masks",
    "MOTIONS": "tracking.motion_classes",
    "OutsideClusters": "structures.aggregates",
    "Pattern": "traces.crb",
    "Polygon": "filtering.masks",
    "PoreGates": "structures.pore_gates",
    "Range": "filtering.masks",
    "ResolutionSettings": "resolution.settings",
    "Settled": "filtering.trace_masks",
    "TraceLength": "filtering.trace_masks",
    "TracePlaces": "filtering.trace_masks",
    "TraceRange": "filtering.trace_masks",
    "Valid": "filtering.masks",
    "accepted_pores": "structures.pores",
    "assign_channels": "channels.mixture",
    "axial_bound": "traces.crb",
    "channel_distances": "colocalization.channel_distances",
    "choose_components": "channels.mixture",
    "clean_clusters": "clusters.cleanup",
    "cluster_sizes": "clusters.sizes",
    "cluster_tracks": "clusters.statistics",
    "clusters_table": "colocalization.colocalize",
    "coloc_null": "colocalization.nulls",
    "colocalization_by_eps": "clusters.tables",
    "colocalize": "colocalization.colocalize",
    "correlation_null": "colocalization.nulls",
    "dbscan": "clusters.dbscan",
    "events_per_cluster": "clusters.sizes",
    "filter_clusters": "clusters.statistics",
    "fit_mixture": "channels.mixture",
    "fit_msd": "tracking.msd_fit",
    "lateral_bound": "traces.crb",
    "load_filters": "filtering.files",
    "local_density": "clusters.density",
    "nearest_clusters": "clusters.sizes",
    "nearest_neighbour": "clusters.density",
    "outside_aggregates": "structures.aggregates",
    "pair_correlation": "colocalization.pair_correlation",
    "photon_weighted": "channels.mixture",
    "pixel_edges": "rendering.render",
    "points_in_pores": "structures.pore_average",
    "render": "rendering.render",
    "resolution_over_time": "resolution.correlate",
    "save_filters": "filtering.files",
    "size_statistics": "clusters.tables",
    "sizes_by_eps": "clusters.tables",
    "split_emitters": "clusters.splitting",
    "split_events": "clusters.splitting",
    "statistics_table": "sheet.table",
    "track_summary": "clusters.track_summary",
    "voronoi_density": "clusters.density",
    "wash_counts": "clusters.statistics",
    "wash_overlap": "clusters.statistics",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for; its module needs dask and xarray."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mfxarray.minflux' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mfxarray.minflux.{_HOMES[name]}"), name)
