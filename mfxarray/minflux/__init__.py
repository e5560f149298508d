"""Labelled, lazy operations on MINFLUX localizations."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "MOTIONS": "motion_classes",
    "fit_msd": "msd_fit",
    "channel_distances": "channel_distances",
    "clusters_table": "colocalization",
    "coloc_null": "coloc_nulls",
    "colocalize": "colocalization",
    "correlation_null": "coloc_nulls",
    "pair_correlation": "pair_correlation",
    "OutsideClusters": "aggregates",
    "PoreGates": "pore_gates",
    "accepted_pores": "pores",
    "local_density": "density",
    "nearest_neighbour": "density",
    "outside_aggregates": "aggregates",
    "points_in_pores": "pore_average",
    "voronoi_density": "density",
    "clean_clusters": "cluster_cleanup",
    "cluster_tracks": "cluster_statistics",
    "colocalization_by_eps": "cluster_tables",
    "events_per_cluster": "cluster_sizes",
    "dbscan": "clusters",
    "filter_clusters": "cluster_statistics",
    "nearest_clusters": "cluster_sizes",
    "size_statistics": "cluster_tables",
    "sizes_by_eps": "cluster_tables",
    "split_emitters": "splitting",
    "split_events": "splitting",
    "wash_counts": "cluster_statistics",
    "wash_overlap": "cluster_statistics",
    "assign_channels": "channels",
    "choose_components": "channels",
    "fit_mixture": "channels",
    "photon_weighted": "channels",
    "Box": "masks",
    "Dense": "trace_masks",
    "Pattern": "crb",
    "Polygon": "masks",
    "Range": "masks",
    "Settled": "trace_masks",
    "TraceLength": "trace_masks",
    "TracePlaces": "trace_masks",
    "TraceRange": "trace_masks",
    "Valid": "masks",
    "axial_bound": "crb",
    "lateral_bound": "crb",
    "load_filters": "filter_files",
    "pixel_edges": "rendering",
    "render": "rendering",
    "ResolutionSettings": "resolution_settings",
    "resolution_over_time": "resolution",
    "save_filters": "filter_files",
    "statistics_table": "sheet_table",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for; its module needs dask and xarray."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mfxarray.minflux' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mfxarray.minflux.{_HOMES[name]}"), name)
