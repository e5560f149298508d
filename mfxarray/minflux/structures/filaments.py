"""Filaments: their length, and how wide they are across a straight or a curved centreline.

References
----------
FIBER: the length along the first principal component, and a width of twice the 95th percentile of
distances, ``width_95``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.chunked.by_cluster import cluster_table
from mfxarray.kernels.structures.centrelines import centreline, half_width, principal_frame
from mfxarray.minflux.points import points_of
from mfxarray.minflux.structures.structures import labels_of
from mfxarray.provenance import record

__all__ = ["filament_widths"]

Array = np.ndarray[Any, Any]

_COLUMNS = (
    ("n", "1", "points"),
    ("length", "m", "length of the centreline"),
    ("extent", "m", "length along the principal axis"),
    ("angle", "rad", "direction of the principal axis"),
    ("width", "m", "standard deviation across the centreline"),
    ("width_error", "m", "standard error of the width"),
    ("fwhm", "m", "full width at half maximum of the profile"),
    ("fwhm_error", "m", "standard error of the full width, by drawing points again"),
    ("width_95", "m", "twice the 95th percentile of distances to the centreline"),
    ("bend", "m", "largest distance of the centreline from the principal axis"),
)
_LEAST = 5


def filament_widths(
    ds: xr.Dataset,
    clusters: str | xr.DataArray = "cluster",
    *,
    window: float | None = 50e-9,
    bin_size: float = 2e-9,
    half: float = 50e-9,
    repeats: int = 50,
    seed: int = 0,
) -> xr.Dataset:
    """Return a table with one row a cluster: length and width in x and y, and its profile.

    Parameters
    ----------
    ds
        Localizations or a table of traces.
    clusters
        Filament of each point, -1 for none: the name of a variable, or an array. For one filament
        give zeros.
    window
        The centreline is a straight line that moves along the principal axis with Gaussian
        weights of this standard deviation, metres; None for one straight line.
    bin_size, half
        Bins of the profile, and how far it reaches to both sides, metres.
    repeats
        How often points of a profile are drawn again for the error of its full width.
    seed
        Of these drawings; each cluster has its own.

    Returns
    -------
    xarray.Dataset
        Dimensions ``cluster`` and ``offset``: ``n``, ``length``, ``extent``, ``angle``, ``width``,
        ``width_error``, ``fwhm``, ``fwhm_error``, ``width_95``, ``bend``; ``profile`` (cluster,
        offset), points at each distance across. NaN for fewer than 5 points.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Computes; in memory are the points of a strip of labels, and time grows with points times
    points within the window.

    A filament may bend, by up to about 60 degrees from its principal axis, but not turn back:
    rings and hairpins must be cut first. A centreline follows its points; distances are divided by
    ``sqrt(1 - leverage)``, so that the width does not shrink with the window. A window that is
    longer than bends widens: compare two. A width contains the precision of the localizations.
    The full width is that of the profile smoothed with ``0.9 width n**-0.2``, less what that adds;
    of a hollow profile that between its outermost flanks.
    """
    if window is not None and not window > 0:
        raise ValueError(f"window must be a length above 0 metres, or None, not {window!r}")
    if not (bin_size > 0 and half >= bin_size) or repeats < 2 or seed < 0:
        raise ValueError("give bins above 0 within half, at least 2 repeats, and a seed from 0 on")
    points = points_of(ds)
    labels = labels_of(ds, points, clusters)
    bins = 2 * max(round(half / bin_size), 1)
    work = partial(
        _of_clusters,
        window=np.inf if window is None else window,
        edges=(np.arange(bins + 1) - bins // 2) * bin_size,
        repeats=repeats,
        seed=seed,
    )
    columns = [points.position[:, axis] for axis in (0, 1)]
    width = 1 + len(_COLUMNS) + bins
    rows = cluster_table(work, points.used, labels, columns, width=width).compute()
    told = {"window": window, "bin_size": bin_size, "half": half, "repeats": repeats, "seed": seed}
    return _dataset(rows, bins, bin_size, record(ds.attrs, "filament_widths", told))


def _dataset(rows: Array, bins: int, step: float, attrs: dict[Any, Any]) -> xr.Dataset:
    fields: dict[str, Any] = {
        name: ("cluster", rows[:, place + 1], {"units": unit, "long_name": meaning})
        for place, (name, unit, meaning) in enumerate(_COLUMNS)
    }
    about = {"units": "1", "long_name": "points at a distance across"}
    profile = rows[:, -bins:].astype(np.int64)
    fields["profile"] = (("cluster", "offset"), profile, about)
    at = (np.arange(bins) - bins / 2 + 0.5) * step
    coords = {
        "label": ("cluster", rows[:, 0].astype(np.int64), {"long_name": "number of the cluster"}),
        "offset": ("offset", at, {"units": "m", "long_name": "distance across the filament"}),
    }
    found = xr.Dataset(fields, coords, attrs)
    return found.assign(n=found["n"].astype(np.int64))


def _of_clusters(
    labels: Array,
    starts: Array,
    columns: list[Array],
    *,
    window: float,
    edges: Array,
    repeats: int,
    seed: int,
) -> Array:
    place = np.column_stack(columns)
    bounds = np.append(starts, len(place))
    rows = np.full((len(labels), 1 + len(_COLUMNS) + len(edges) - 1), np.nan)
    for number, label in enumerate(labels):
        own = place[bounds[number] : bounds[number + 1]]
        rows[number, :2] = label, len(own)
        rows[number, 1 + len(_COLUMNS) :] = 0
        if len(own) >= _LEAST:
            rng = np.random.default_rng((seed, int(label)))
            rows[number, 2:] = _of_filament(own, window, edges, repeats, rng)
    return rows


def _of_filament(
    points: Array, window: float, edges: Array, repeats: int, rng: np.random.Generator
) -> Array:
    _, axes, places = principal_frame(points)
    places = places[np.argsort(places[:, 0], kind="stable")]
    height, slope, leverage = centreline(places, window)
    # across the line, not across the principal axis
    steep = np.sqrt(1 + slope**2)
    free = np.maximum(1 - leverage, 0.0)
    off = np.zeros(len(places))
    # a lone point is its own line and tells nothing of the width
    known = free > 0.05
    off[known] = (places[known, 1] - height[known]) / steep[known] / np.sqrt(free[known])
    off = off[known]
    n, step = len(off), float(edges[1] - edges[0])
    counts, _ = np.histogram(off, edges)
    along = np.diff(places[:, 0])
    length = float(np.hypot(along, np.diff(height)).sum())
    extent = float(places[-1, 0] - places[0, 0])
    numbers = [length, extent, float(np.arctan2(axes[0, 1], axes[0, 0]))]
    if n < _LEAST:
        return np.array([*numbers, *[np.nan] * 6, *counts])
    variance = float((off**2).mean())
    # true for profiles that are not Gaussian too
    spread = float(np.sqrt(max((off**4).mean() - variance**2, 0.0) / n))
    error = spread / (2 * np.sqrt(variance)) if variance > 0 else 0.0
    # as for the density of a normal distribution (Silverman), from n and the spread
    smoothing = 0.9 * float(np.sqrt(variance)) * n**-0.2
    wide = half_width(counts, step, smoothing)
    again = np.nan
    if inside := int(counts.sum()):
        drawn = rng.multinomial(inside, counts / inside, size=repeats)
        again = float(np.std([half_width(one, step, smoothing) for one in drawn], ddof=1))
    share = 2 * float(np.percentile(np.abs(off), 95))
    bend = float(np.abs(height).max())
    return np.array([*numbers, np.sqrt(variance), error, wide, again, share, bend, *counts])
