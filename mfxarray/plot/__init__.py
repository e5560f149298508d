"""Pictures of localizations, traces and ion images; each function gives a matplotlib Figure.

Only `translations` gives the axes it drew in, which may be yours.
Figures are made without pyplot, so nothing has to be closed and no window system is needed.
matplotlib is imported when a picture is made.
"""

from __future__ import annotations

from mfxarray.plot.beads import beads
from mfxarray.plot.channels import channels
from mfxarray.plot.cluster_maps import cluster_map
from mfxarray.plot.clusters import clusters_page, shared_clusters
from mfxarray.plot.colocalization import colocalization
from mfxarray.plot.figures import save
from mfxarray.plot.images import ion_images
from mfxarray.plot.ions import drift, hot_pixels, translations
from mfxarray.plot.localization_drift import localization_drift
from mfxarray.plot.points import localizations
from mfxarray.plot.profiles import profile
from mfxarray.plot.ratios import hsi, ratio_images
from mfxarray.plot.regions import regions
from mfxarray.plot.renderings import rendering
from mfxarray.plot.resolution import resolution, resolution_over_time
from mfxarray.plot.statistics import statistics
from mfxarray.plot.structures import (
    filament_profiles,
    pore_average,
    pore_map,
    pore_statistics,
)
from mfxarray.plot.tables import traces
from mfxarray.plot.tracking import tracking

__all__ = [
    "beads",
    "channels",
    "cluster_map",
    "clusters_page",
    "colocalization",
    "drift",
    "filament_profiles",
    "hot_pixels",
    "hsi",
    "ion_images",
    "localization_drift",
    "localizations",
    "pore_average",
    "pore_map",
    "pore_statistics",
    "profile",
    "ratio_images",
    "regions",
    "rendering",
    "resolution",
    "resolution_over_time",
    "save",
    "shared_clusters",
    "statistics",
    "traces",
    "tracking",
    "translations",
]
