"""The command cluster: exact DBSCAN of localizations or of the means of traces."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mfxarray.commands.files import (
    check_output,
    client_of,
    picture_of,
    save_picture,
    summary_of_output,
)
from mfxarray.commands.points import bounded_points
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cluster_file"]

_NM = 1e-9


def cluster_file(arguments: Namespace) -> None:
    """Write localizations or traces with their cluster to a Zarr store, and say what was found."""
    from mfxarray import plot
    from mfxarray.minflux.clusters.dbscan import dbscan
    from mfxarray.stores.zarr_store import open_zarr, write_zarr

    out, picture = check_output(arguments, ".zarr"), picture_of(arguments)
    points = _points(arguments)
    labels = dbscan(
        points,
        eps=arguments.eps_nm * _NM,
        min_samples=arguments.min_samples,
        by=arguments.by,
        dimensions=arguments.dimensions,
    )
    with client_of(arguments) as at, progress("finding clusters", at):
        write_zarr(points.assign(cluster=labels), out, overwrite=arguments.overwrite)
    written = open_zarr(out)
    print(_counted(written["cluster"]))
    print(summary_of_output(out))
    if picture is not None:
        title = Path(arguments.file).name
        save_picture(plot.cluster_map(written, "cluster", title=title), picture)


def _points(arguments: Namespace) -> xr.Dataset:
    """Return what is clustered: localizations, the means of their traces, or a table of traces."""
    from mfxarray.minflux.traces.table import traces

    data = bounded_points(arguments)
    return traces(data) if arguments.traces and "localization" in data.dims else data


def _counted(cluster: xr.DataArray) -> str:
    from mfxarray.display import number

    labels = cluster.values
    clusters = int(labels.max(initial=-1)) + 1
    inside = int(np.count_nonzero(labels >= 0))
    what = f"{cluster.dims[0]}s"
    return f"{number(clusters)} clusters of {number(inside)} of {number(labels.size)} {what}"
