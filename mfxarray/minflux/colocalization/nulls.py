"""What colocalization would be by chance: channels dealt anew, shifted, or placed at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mfxarray.minflux.colocalization.channel_points import (
    Region,
    about,
    channel_points,
    check_distance,
    chosen,
    source_of,
)
from mfxarray.minflux.colocalization.joint_clusters import Gates
from mfxarray.minflux.colocalization.null_counts import NULLS, ClusterCount, PointCount, simulated
from mfxarray.minflux.colocalization.null_tables import envelope, judged
from mfxarray.minflux.colocalization.pair_correlation import bin_edges, expectation
from mfxarray.provenance import record

__all__ = ["coloc_null", "correlation_null"]

_STATISTICS = ("pairs", "neighbours", "clusters")
_ALTERNATIVES = ("greater", "less", "two-sided")


def coloc_null(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    null: str = "permute",
    statistic: str = "pairs",
    within: float = 50e-9,
    repeats: int = 199,
    seed: int = 0,
    alternative: str = "greater",
    eps: float = 10e-9,
    min_samples: int = 3,
    max_size: float | None = 30e-9,
    min_localizations: int = 10,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return how likely as much colocalization is by chance, for each pair of channels.

    Parameters
    ----------
    ds, channels, values, region, dimensions
        As for `mfxarray.minflux.colocalization.pair_correlation.pair_correlation`; two channels at
        least. Points must be independent but for what is asked: localizations of a trace are not,
        traces are.
    null
        "permute": channels are dealt anew to the same points, as many of each; asks whether
        channels mix as if they were labels at random. "shift": each channel but the first is
        shifted by a random vector, what leaves the field comes in on the other side; asks whether
        channels are independent, whatever the pattern of each. "csr": every point anywhere.
    statistic
        "pairs": pairs of points closer than ``within``; "neighbours": points of the first channel
        with one of the second closer than that; "clusters": joint clusters that count, with both.
    within
        Metres.
    repeats
        How many times; the smallest p-value is 1 / (1 + repeats).
    seed
        Another seed, other repeats.
    alternative
        "greater": more colocalization than by chance; "less"; "two-sided".
    eps, min_samples, max_size, min_localizations
        Of "clusters", as for `mfxarray.minflux.colocalization.colocalize.colocalize`.

    Returns
    -------
    xarray.Dataset
        In memory, along ``channel`` and ``other``: ``observed``, ``expected`` (mean of the
        repeats), ``deviation`` (of the repeats), ``ratio``, ``z_score``, ``p_value``; and
        ``simulated`` (repeat, channel, other). NaN within a channel for "shift".

    Notes
    -----
    p = (1 + k) / (1 + n) with k of n repeats at least as extreme; two-sided twice the smaller one,
    at most 1. Ties count as extreme, so where numbers are small p-values are larger than needed.

    What a point does in a repeat depends on (seed, repeat, row) only, so results do not depend on
    chunks. Up to 500,000 points stay in memory over all repeats; more are read again for each, but
    for "permute", which takes one pass for all.

    Shifts are exact where one of the channels is stationary; a cluster that is cut at the seam is a
    small error of theirs.
    """
    if statistic not in _STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(_STATISTICS)}, not {statistic!r}")
    if alternative not in _ALTERNATIVES:
        raise ValueError(f"alternative must be one of {', '.join(_ALTERNATIVES)}")
    _check(null, repeats, seed)
    gates = Gates(eps, min_samples, max_size, min_localizations)
    reach = check_distance("within", within)
    found = channel_points(
        ds, channels, values=values, region=region, dimensions=dimensions, least=2
    )
    if statistic == "clusters":
        counts = simulated(found, null, ClusterCount(found.channels, gates), repeats, seed)
    else:
        near = PointCount(found.channels, np.array([0.0, reach]), statistic == "neighbours")
        counts = simulated(found, null, near, repeats, seed)
    # pairs come in bins of distance, here in one
    counts = counts.reshape(1 + repeats, found.channels, found.channels)
    asked = vars(gates) if statistic == "clusters" else {"within": within}
    kept = {"null": null, "statistic": statistic, "alternative": alternative, "repeats": repeats}
    told = {**kept, **asked, "seed": seed, **chosen(channels, values, region, dimensions)}
    fields = judged(counts, null, alternative)
    text = about("1", f"{statistic} in a repeat")
    fields["simulated"] = (("repeat", "channel", "other"), counts[1:], text)
    attrs, others = source_of(ds)
    attrs = {**record(attrs, "coloc_null", told, others=others or None), **found.told(), **kept}
    if statistic != "clusters":
        attrs["within"] = within
    return xr.Dataset(fields, {"channel": found.ids, "other": found.ids}, attrs)


def correlation_null(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    r_max: float,
    bin: float | None = None,
    null: str = "permute",
    repeats: int = 199,
    seed: int = 0,
    level: float = 0.95,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return the pair correlation of channels and the range that it has by chance.

    Parameters
    ----------
    ds, channels, r_max, bin, values, region, dimensions
        As for `mfxarray.minflux.colocalization.pair_correlation.pair_correlation`.
    null, repeats, seed
        As for `coloc_null`.
    level
        Share of the repeats that is within the envelope at each distance.

    Returns
    -------
    xarray.Dataset
        In memory, along ``channel``, ``other`` and ``r``: ``g``, ``g_low`` and ``g_high`` (the
        envelope), ``g_expected`` (mean of the repeats), ``p_value`` (two-sided, at each distance
        alone). ``p_global`` (channel, other): of the largest deviation at any distance, in
        standard deviations of the repeats. NaN within a channel for "shift".

    Notes
    -----
    As `coloc_null`. An envelope holds at each distance alone; over all distances one of them is
    left more often than 1 - level. ``p_global`` is right for all distances together.
    """
    _check(null, repeats, seed)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    edges = bin_edges(r_max, bin)
    found = channel_points(
        ds, channels, values=values, region=region, dimensions=dimensions, least=2
    )
    means = expectation(found, edges, "rigid").pairs
    counts = simulated(found, null, PointCount(found.channels, edges), repeats, seed)
    kept = {"null": null, "repeats": repeats, "level": level}
    told = {**kept, "r_max": r_max, "bin": bin, "seed": seed}
    told |= chosen(channels, values, region, dimensions)
    attrs, others = source_of(ds)
    attrs = record(attrs, "correlation_null", told, others=others or None)
    coords = {
        "channel": found.ids,
        "other": found.ids,
        "r": ("r", (edges[:-1] + edges[1:]) / 2, about("m", "distance, middle of the bin")),
        "r_low": ("r", edges[:-1], about("m", "lower edge of the bin")),
        "r_high": ("r", edges[1:], about("m", "upper edge of the bin")),
    }
    fields = envelope(counts, np.where(means > 0, means, np.nan), null, level)
    return xr.Dataset(fields, coords, {**attrs, **found.told(), **kept})


def _check(null: str, repeats: int, seed: int) -> None:
    if null not in NULLS:
        raise ValueError(f"null must be one of {', '.join(NULLS)}, not {null!r}")
    if int(repeats) != repeats or repeats < 1:
        raise ValueError(f"repeats must be a whole number from 1 on, not {repeats!r}")
    if int(seed) != seed or seed < 0:
        raise ValueError(f"seed must be a whole number from 0 on, not {seed!r}")
