"""Thresholds that the data suggest: around the median, or around the main peak of a histogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from scipy.signal import find_peaks, medfilt

from mfxarray.chunked.quantiles import quantiles
from mfxarray.minflux.filtering.masks import Range, value_of_rows
from mfxarray.minflux.rows import used_rows
from mfxarray.schema import CFR_NOT_MEASURED

__all__ = ["Peak", "find_peak", "histogram_of", "peak_range", "spread_range"]

Array = np.ndarray[Any, Any]

# makes the median absolute deviation of a normal distribution its standard deviation
_TO_SIGMA = 1.4826022185056018
_MOST_BINS = 100_000


def spread_range(
    ds: xr.Dataset, field: str, *, factor: float = 3.0, iteration: int | None = None
) -> Range:
    """Return bounds at the median plus and minus some robust standard deviations.

    Parameters
    ----------
    ds
        Localizations; valid, selected ones with a position count.
    field, iteration
        As for `mfxarray.minflux.filtering.masks.Range`.
    factor
        How many standard deviations, each 1.4826 times the median absolute deviation.

    Raises
    ------
    ValueError
        If the factor is not above 0 or no localization has a value.

    Notes
    -----
    Exact; four passes over the field, made at once, in bounded memory.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"factor must be above 0, not {factor!r}")
    values, used = _values(ds, field, iteration)
    n, middle = quantiles(values, used, [0.5]).compute().tolist()
    _need(n, field)
    deviation = float(quantiles(abs(values - middle), used, [0.5]).compute()[1])
    half = factor * _TO_SIGMA * deviation
    return Range(field, middle - half, middle + half, iteration=iteration)


@dataclass(frozen=True)
class Peak:
    """A peak of a histogram: its place, its feet, its prominence as a part of the highest bin."""

    place: float
    low: float
    high: float
    prominence: float


def peak_range(
    ds: xr.Dataset,
    field: str,
    *,
    prominence: float = 0.05,
    which: str = "highest",
    base: float = 0.05,
    smooth: int = 5,
    iteration: int | None = None,
) -> Range:
    """Return bounds at the feet of a peak of the histogram of a field, the upper one not included.

    Parameters
    ----------
    ds
        Localizations; valid, selected ones with a position count.
    field, iteration
        As for `mfxarray.minflux.filtering.masks.Range`.
    prominence
        Least prominence of a peak, as a fraction of the highest bin.
    which
        "highest", or "first": the peak at the smallest values, as for efo, where a second peak at
        twice the frequency means two emitters.
    base
        Height of the feet as a fraction of the peak.
    smooth
        Bins of the running median that is taken first; odd, 1 for none.

    Raises
    ------
    ValueError
        If a parameter makes no sense, or there is no such peak.

    Notes
    -----
    Bins as wide as Freedman and Diaconis say, 2 IQR n^(-1/3). The feet are the first bins on
    either side that are as low as ``base`` says, or, if there is none before the next peak, the
    lowest between the two. Three passes over the field, made at once.

    References
    ----------
    Freedman, Diaconis (1981), On the histogram as a density estimator. Z. Wahrscheinlichkeit 57.
    """
    counts, edges = histogram_of(ds, field, iteration=iteration)
    peak = find_peak(counts, edges, prominence=prominence, which=which, base=base, smooth=smooth)
    return Range(field, peak.low, peak.high, closed="left", iteration=iteration)


def histogram_of(
    ds: xr.Dataset, field: str, *, iteration: int | None = None
) -> tuple[Array, Array]:
    """Return counts and edges of the histogram of a field in bins of Freedman and Diaconis.

    Raises
    ------
    ValueError
        If no localization has a value.
    """
    values, used = _values(ds, field, iteration)
    found = quantiles(values, used, [0.0, 0.25, 0.75, 1.0])
    n, low, first, third, high = found.compute().tolist()
    _need(n, field)
    width = 2 * (third - first) / n ** (1 / 3)
    bins = int(np.clip(np.ceil((high - low) / width), 1, _MOST_BINS)) if width > 0 else 1
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    counts = da.map_blocks(
        partial(_histogram, edges=edges),
        values,
        used,
        chunks=((1,) * values.numblocks[0], (bins,)),
        new_axis=[1],
        dtype=np.int64,
        meta=np.empty((0, 0), np.int64),
    )
    return np.asarray(da.sum(counts, axis=0, dtype=np.int64, split_every=8).compute()), edges


def find_peak(
    counts: Array,
    edges: Array,
    *,
    prominence: float = 0.05,
    which: str = "highest",
    base: float = 0.05,
    smooth: int = 5,
) -> Peak:
    """Return a peak of a histogram with its feet; parameters as for `peak_range`."""
    _check_peak(prominence, which, base, smooth)
    # with an empty bin on either side, a peak at the border is one too
    window = min(smooth, len(counts) - 1 + len(counts) % 2)
    heights = medfilt(counts.astype(float), window) if window > 1 else counts.astype(float)
    ground = np.concatenate([[0.0], heights, [0.0]])
    least = prominence * ground.max()
    places, found = find_peaks(ground, prominence=max(least, np.finfo(float).tiny), plateau_size=1)
    if not len(places):
        raise ValueError(
            f"the histogram has no peak of prominence {prominence}; lower it, or give bounds"
        )
    chosen = int(np.argmax(ground[places])) if which == "highest" else 0
    peak = int(places[chosen])
    before, after = places[:chosen], places[chosen + 1 :]
    left = _foot(ground[before[-1] if len(before) else 0 : peak + 1][::-1], base)
    right = _foot(ground[peak : after[0] + 1 if len(after) else len(ground)], base)
    return Peak(
        float((edges[peak - 1] + edges[peak]) / 2),
        float(edges[max(peak - left, 0)]),
        float(edges[min(peak + right - 1, len(edges) - 1)]),
        float(found["prominences"][chosen] / ground.max()),
    )


def _foot(heights: Array, base: float) -> int:
    """Return how far from a peak, which comes first, its foot is; the next peak comes last."""
    low = np.flatnonzero(heights <= base * heights[0])
    return int(low[0]) if len(low) else int(np.argmin(heights))


def _check_peak(prominence: float, which: str, base: float, smooth: int) -> None:
    if not 0 <= base < 1:
        raise ValueError(f"base must be at least 0 and below 1, not {base!r}")
    if not 0 < prominence <= 1:
        raise ValueError(f"prominence must be above 0 and at most 1, not {prominence!r}")
    if which not in ("highest", "first"):
        raise ValueError(f"which must be 'highest' or 'first', not {which!r}")
    if smooth < 1 or smooth % 2 == 0:
        raise ValueError(f"smooth must be an odd number of bins, not {smooth!r}")


def _values(ds: xr.Dataset, field: str, iteration: int | None) -> tuple[da.Array, da.Array]:
    used = used_rows(ds)
    values = value_of_rows(ds, field, iteration).rechunk(used.chunks).astype(float)
    return values, used & (values != CFR_NOT_MEASURED) if field == "cfr" else used


def _need(n: int, field: str) -> None:
    if not n:
        raise ValueError(f"no selected localization has a value of {field!r}")


def _histogram(values: Array, used: Array, *, edges: Array) -> Array:
    kept = values[used & np.isfinite(values)]
    return np.histogram(kept, edges)[0].astype(np.int64).reshape(1, -1)
