"""Pair correlation within and across channels, corrected for the border of the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.pairs import inner_points, pair_counts
from mfxarray.kernels.clusters.box_distances import ball_size, closer_than, inside_balls
from mfxarray.minflux.colocalization.channel_points import (
    ChannelPoints,
    Region,
    about,
    channel_points,
    check_distance,
    chosen,
    source_of,
)
from mfxarray.provenance import record

__all__ = ["Expectation", "bin_edges", "expectation", "pair_correlation"]

Array = np.ndarray[Any, Any]

_MOST_BINS = 100_000
# places along each axis of the field where its border is looked at
_NODES = {2: 48, 3: 14}


def pair_correlation(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    r_max: float,
    bin: float | None = None,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
    edge: str = "rigid",
) -> xr.Dataset:
    """Return how much more often points are so far from each other than at random.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected) or a table of traces, or a list of
        such, a channel each. Localizations of one trace are close to each other in any case: take
        traces to learn about molecules.
    channels
        Integers along the points, below 0 for none: "channel" or else "wash" by default. Without
        either all points are one channel.
    r_max
        Largest distance, metres.
    bin
        Width of the bins of distance, metres; a hundredth of ``r_max`` by default.
    values
        The channels that count, in this order; all by default.
    region
        The field: lowest and highest place along each axis, metres; points outside are left out. By
        default the box around the points. Give it where points fill their box in part only.
    dimensions
        2 for x and y alone; by default 2 if z is the same everywhere.
    edge
        "rigid": pairs over the number that is expected in the field, by its set covariance averaged
        over directions. "border": from points that are at least so far from the border only;
        needs no assumption about directions, but uses fewer points.

    Returns
    -------
    xarray.Dataset
        Dimensions ``channel``, ``other`` and ``r``, lazy. ``g``: 1 where points lie at random;
        ``error``: its standard deviation there; ``pairs``, int64, and how many are ``expected``
        (within a channel each pair counts once; with "border" twice, for both points). ``ripley_k``
        and ``ripley_l`` up to ``r_high``, m^axes and m. ``points`` (channel) and ``density``.

    Raises
    ------
    ValueError
        For parameters that nothing can fulfil, or if nobody can be expected at a distance.

    Notes
    -----
    Counts are integers, the same for every chunking; distances at the upper edge of a bin belong to
    the next. Positions are read once to find the field and the numbers of points; what is returned
    is lazy. Strips have a margin of ``r_max``; the cost is that of all pairs within it.

    The error is that of points at random, their number given (Hoeffding's decomposition): it holds
    the scatter of counts, and that points near the border have fewer partners. It says whether g
    differs from 1; between bins errors are correlated where they are large.

    References
    ----------
    J. Ohser, D. Stoyan, Biometrical Journal 23 (1981) 523-533. J. Illian, A. Penttinen, H. Stoyan,
    D. Stoyan, "Statistical Analysis and Modelling of Spatial Point Patterns", Wiley 2008, 4.3.
    """
    found = _points(ds, channels, values, region, dimensions)
    edges = bin_edges(r_max, bin)
    means = expectation(found, edges, edge)
    border = (found.low, found.high) if edge == "border" else None
    pairs = pair_counts(found.marked, edges, found.channels, border)
    expected: Any = means.pairs
    if border is not None:
        pairs, expected = _both_ways(pairs), _from_inner(found, edges, border, means.shells)
    told = {"r_max": r_max, "bin": bin, "edge": edge}
    told |= chosen(channels, values, region, dimensions)
    attrs, others = source_of(ds)
    attrs = record(attrs, "pair_correlation", told, others=others or None)
    return _table(found, edges, means, pairs, expected, {**attrs, **found.told(), "edge": edge})


def _both_ways(pairs: da.Array) -> da.Array:
    """Return counts symmetric in the channels: a pair tells about both."""
    same = np.eye(pairs.shape[0], dtype=bool)[:, :, None]
    return da.where(same, pairs, pairs + pairs.swapaxes(0, 1))


def _from_inner(
    found: ChannelPoints, edges: Array, border: tuple[Array, Array], shells: Array
) -> da.Array:
    """Return the pairs expected from as many points as are far enough from the border."""
    inner = inner_points(found.marked, edges, found.channels, border)
    others = found.counts[None, :] - np.eye(found.channels)
    share = shells / (found.high - found.low).prod()
    return _both_ways(inner[:, None, :] * others[:, :, None] * share)


@dataclass(frozen=True)
class Expectation:
    """How many pairs points at random make, and how much that scatters.

    Attributes
    ----------
    pairs, deviation
        Shape (channel, channel, bin).
    shells
        Area or volume of the bins, shape (bin,).
    """

    pairs: Array
    deviation: Array
    shells: Array


def bin_edges(r_max: float, bin: float | None) -> Array:
    """Return the edges of bins of distance; the last bin may be narrower.

    Raises
    ------
    ValueError
        If they make no sense.
    """
    top = check_distance("r_max", r_max)
    width = top / 100 if bin is None else check_distance("bin", bin)
    bins = int(np.ceil(top / width * (1 - 1e-12)))
    if bins > _MOST_BINS:
        raise ValueError(f"{bins} bins are more than {_MOST_BINS}; give a wider bin=")
    return np.append(np.arange(bins) * width, top)


def expectation(found: ChannelPoints, edges: Array, edge: str) -> Expectation:
    """Return what points at random in the field make, their numbers given.

    Parameters
    ----------
    found
        Points and field.
    edges
        Of the bins.
    edge
        See `pair_correlation`.

    Raises
    ------
    ValueError
        If the field has no extent along an axis, or is too small for the distances.
    """
    sides = found.high - found.low
    if not (sides > 0).all():
        raise ValueError(
            "the field has no extent along an axis; give dimensions=2, or the region= of the points"
        )
    if edge not in ("rigid", "border"):
        raise ValueError(f"edge must be 'rigid' or 'border', not {edge!r}")
    reach = np.linalg.norm(sides) if edge == "rigid" else sides.min() / 2
    if edges[-1] > reach * (1 + 1e-9):
        what = "diagonal" if edge == "rigid" else "half of the shortest side"
        raise ValueError(f"r_max is beyond the {what} of the field, {reach:.4g} m")
    shells = np.diff(ball_size(edges, found.axes))
    share, pair, partner = _shares(tuple(sides.tolist()), tuple(edges.tolist()), edge)
    n = found.counts.astype(float)
    same = np.eye(found.channels, dtype=bool)
    both = np.where(same, n * (n - 1) / 2, n[:, None] * n)[:, :, None]
    third = np.where(same, 2 * (n - 2), n[:, None] + n - 2).clip(0)[:, :, None]
    return Expectation(both * share, np.sqrt(both * (pair + third * partner)), shells)


@lru_cache(maxsize=16)
def _shares(
    along: tuple[float, ...], marks: tuple[float, ...], edge: str
) -> tuple[Array, Array, Array]:
    """Return mean and variance of what a pair counts, and variance of what its one point knows."""
    sides, edges = np.array(along), np.array(marks)
    size, shells = sides.prod(), np.diff(ball_size(edges, len(sides)))
    centres, weights = _places(sides)
    if edge == "rigid":
        share = np.diff(closer_than(edges, sides))
        inside = np.diff(inside_balls(centres, edges, np.zeros_like(sides), sides)) / size
        return share, share * (1 - share), _variance(inside, weights)
    pair, partner, mean = (np.empty_like(shells) for _ in range(3))
    for place, (lower, upper) in enumerate(pairwise(edges)):
        inner = np.maximum(sides - 2 * upper, 0.0)
        part = inner.prod() / size
        found = inside_balls(centres, np.array([lower, upper]), upper + 0 * sides, sides - upper)
        partner[place] = _variance(np.diff(found) / size, weights)[0]
        # pairs of two inner points count twice
        twice = np.diff(closer_than(np.array([lower, upper]), inner))[0] if part > 0 else 0.0
        mean[place] = 2 * part * shells[place] / size
        pair[place] = mean[place] + 2 * part**2 * twice
    return mean, pair, partner


def _places(sides: Array) -> tuple[Array, Array]:
    """Return places in the field and the weights of their mean."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES[len(sides)])
    # the field is symmetric: half of each side is enough
    along = [(nodes + 1) / 4 * side for side in sides]
    centres = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, len(sides))
    shares = np.ones(1)
    for _ in sides:
        shares = np.outer(shares, weights / 2).ravel()
    return centres, shares


def _variance(values: Array, weights: Array) -> Array:
    """Return the variance along the first axis."""
    mean = weights @ values
    return np.asarray(weights @ (values - mean) ** 2)


def _points(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None,
    values: Sequence[int] | None,
    region: Region | None,
    dimensions: int | None,
) -> ChannelPoints:
    if isinstance(ds, xr.Dataset) and channels is None:
        # all points are one channel
        ds = ds if {"channel", "wash"} & set(ds.variables) else [ds]
    return channel_points(ds, channels, values=values, region=region, dimensions=dimensions)


def _table(
    found: ChannelPoints,
    edges: Array,
    means: Expectation,
    pairs: da.Array,
    expected: Any,
    attrs: dict[Any, Any],
) -> xr.Dataset:
    over = da.where(expected > 0, expected, np.nan)
    g = pairs / over
    # relative errors grow as the root where there are fewer points than on average
    error = means.deviation / da.sqrt(np.where(means.pairs > 0, means.pairs, np.nan) * over)
    shells, axes = means.shells, found.axes
    k = da.cumsum(g * shells, axis=2)
    ell = da.sqrt(k / np.pi) if axes == 2 else (k * 3 / (4 * np.pi)) ** (1 / 3)
    dims = ("channel", "other", "r")
    density = found.counts / (found.high - found.low).prod()
    fields = {
        "g": (dims, g, about("1", "pair correlation, 1 at random")),
        "error": (dims, error, about("1", "standard deviation of g at random")),
        "pairs": (dims, pairs, about("1", "pairs of points")),
        "expected": (dims, expected, about("1", "pairs expected at random")),
        "ripley_k": (dims, k, about(f"m^{axes}", "Ripley's K up to r_high")),
        "ripley_l": (dims, ell, about("m", "Ripley's L up to r_high; r_high at random")),
        "points": ("channel", found.counts, about("1", "points of the channel")),
        "density": ("channel", density, about(f"m^-{axes}", "density of the channel")),
    }
    coords = {
        "channel": found.ids,
        "other": found.ids,
        "r": ("r", (edges[:-1] + edges[1:]) / 2, about("m", "distance, middle of the bin")),
        "r_low": ("r", edges[:-1], about("m", "lower edge of the bin")),
        "r_high": ("r", edges[1:], about("m", "upper edge of the bin")),
    }
    return xr.Dataset(fields, coords, attrs)
