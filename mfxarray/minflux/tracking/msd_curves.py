"""Mean squared displacements of tracks, one curve a trace or one of all."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.track_sums import sums_and_products
from mfxarray.kernels.tracking.displacements import bin_sums, lag_sums
from mfxarray.kernels.tracking.track_points import TrackRules, Tracks
from mfxarray.minflux.tracking.msd_fit import fit_msd
from mfxarray.minflux.tracking.rows import (
    as_dataset,
    rules_of,
    rules_record,
    track_columns,
    track_rows,
)
from mfxarray.provenance import record

__all__ = ["fit_msd", "msd"]

Array = np.ndarray[Any, Any]

_MOST_LAGS = 10_000
_MSD = {"units": "m^2", "long_name": "mean squared displacement"}
_TIME = {"units": "s", "long_name": "mean time between the two points of a pair"}
_PAIRS = {"units": "1", "long_name": "pairs of points"}
_ERROR = {"units": "m^2", "long_name": "standard error of the curve, between tracks"}
_COVARIANCE = {"units": "m^4", "long_name": "covariance of the points of the curve, between tracks"}
_DIMENSIONS = {"units": "1", "long_name": "axes that are summed, mean over pairs"}


def msd(
    ds: xr.Dataset,
    *,
    lags: int = 10,
    bin: float | None = None,
    per: str = "ensemble",
    dimensions: int | None = None,
    trim: int = 0,
    gap: float | None = 2.5,
    gap_time: float | None = None,
) -> xr.Dataset:
    """Return the mean squared displacement over the time between two localizations.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    lags
        Points of the curve.
    bin
        Seconds. Pairs are sorted by the true time between them: point k has those whose time is
        nearer to k bins than to any other number of bins, and pairs nearer to 0 are left out. If
        not given, point k has the pairs that are k localizations apart.
    per
        "trace" or "ensemble".
    dimensions, trim, gap, gap_time
        As for `mfxarray.minflux.tracking.tracking.diffusion`.

    Returns
    -------
    xarray.Dataset
        Along ``lag`` (and ``trace``): ``msd`` (m^2), the sum over the axes; ``lag_time`` (s), the
        mean time of the pairs, which irregular times do not bias; ``pairs``. Of the ensemble also
        ``msd_error`` and ``msd_covariance`` between tracks, and ``dimensions``. NaN where there are
        no pairs.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Every pair counts once: tracks count as much as they have pairs. Pairs of one track overlap and
    are far from independent; the errors of the ensemble come from independent tracks instead. Lazy
    as `mfxarray.minflux.traces.table.traces` is, the same bits for every chunking.

    References
    ----------
    Qian, Sheetz, Elson (1991), Biophys. J. 60, 910.
    """
    rules = rules_of(dimensions, trim, gap, gap_time)
    if isinstance(lags, bool) or not 1 <= lags <= _MOST_LAGS:
        raise ValueError(f"lags must be 1 to {_MOST_LAGS}, not {lags!r}")
    if bin is not None and not (bin > 0 and np.isfinite(bin)):
        raise ValueError(f"bin must be above 0 seconds, or None for index lags, not {bin!r}")
    if per not in ("trace", "ensemble"):
        raise ValueError(f"per must be 'trace' or 'ensemble', not {per!r}")
    parameters = {"lags": lags, "bin": bin, "per": per, **rules_record(rules)}
    attrs = record(ds.attrs, "msd", parameters) | {"per": per}
    if per == "ensemble":
        return _with_lags(_ensemble(ds, rules, lags, bin), lags, bin).assign_attrs(attrs)
    make = partial(_curves, lags=lags, width=bin)
    kinds: list[tuple[Any, int | None]] = [(float, lags), (float, lags), (np.int64, lags)]
    keys, columns = track_columns(ds, rules, make, kinds)
    names = (("msd", _MSD), ("lag_time", _TIME), ("pairs", _PAIRS))
    variables = {
        name: (("trace", "lag"), data, about)
        for (name, about), data in zip(names, columns, strict=True)
    }
    return _with_lags(as_dataset(ds, keys, variables, attrs), lags, bin)


def _sums(tracks: Tracks, lags: int, width: float | None) -> Array:
    return lag_sums(tracks, lags) if width is None else bin_sums(tracks, lags, width)


def _curves(tracks: Tracks, *, lags: int, width: float | None) -> tuple[Array, ...]:
    sums = _sums(tracks, lags, width)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[..., 2] / sums[..., 0], sums[..., 1] / sums[..., 0]
    return (*means, sums[..., 0].astype(np.int64))


def _rows(tracks: Tracks, *, lags: int, width: float | None) -> Array:
    sums = _sums(tracks, lags, width)
    axes = sums[:, :1, 0] * tracks.dimensions[:, None]
    out = np.column_stack([sums[..., 0], sums[..., 1], sums[..., 2], axes])
    # tracks without a pair tell nothing
    out[sums[..., 0].sum(axis=1) == 0] = np.nan
    return out


def _ensemble(ds: xr.Dataset, rules: TrackRules, lags: int, width: float | None) -> xr.Dataset:
    make = partial(_rows, lags=lags, width=width)
    sums = sums_and_products(track_rows(ds, rules, make, 3 * lags + 1))
    found = da.map_blocks(
        _ensemble_curve,
        sums,
        lags=lags,
        chunks=((6 + lags,), (lags,)),
        dtype=float,
        meta=np.empty((0, 0)),
    )
    return xr.Dataset(
        {
            "msd": ("lag", found[0], _MSD),
            "msd_error": ("lag", found[1], _ERROR),
            "lag_time": ("lag", found[2], _TIME),
            "pairs": ("lag", found[3].astype(np.int64), _PAIRS),
            "msd_covariance": (("lag", "other_lag"), found[6:], _COVARIANCE),
            "dimensions": ((), found[4, 0], _DIMENSIONS),
            "tracks": ((), found[5, 0], {"units": "1", "long_name": "tracks with a pair"}),
        }
    )


def _ensemble_curve(sums: Array, *, lags: int) -> Array:
    """Return curve, error, time, pairs, dimensions, tracks and covariance as rows."""
    tracks, total = sums[0, 0], sums[0, 1:]
    pairs, times, squares = total[:-1].reshape(3, lags)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve, time = squares / pairs, times / pairs
        dimensions = total[-1] / pairs[0]
        # what a track adds beyond its share of the pairs
        gradient = np.zeros((lags, 3 * lags))
        at = np.arange(lags)
        gradient[at, at], gradient[at, 2 * lags + at] = -curve / pairs, 1 / pairs
        known = pairs > 0
        gradient[~known] = 0.0
        spread = tracks / (tracks - 1) if tracks > 1 else np.nan
        covariance = spread * np.einsum(
            "ia,ab,jb->ij", gradient, sums[1:-1, 1:-1], gradient, optimize=False
        )
        covariance[~known] = covariance[:, ~known] = np.nan
        error = np.sqrt(np.diag(covariance))
    same = [np.full(lags, number) for number in (dimensions, tracks)]
    return np.vstack([curve, error, time, pairs, *same, covariance])


def _with_lags(found: xr.Dataset, lags: int, width: float | None) -> xr.Dataset:
    numbers = np.arange(1, lags + 1)
    if width is None:
        return found.assign_coords(lag=("lag", numbers, {"long_name": "localizations apart"}))
    about = {"units": "s", "long_name": "middle of the bin of times"}
    return found.assign_coords(lag=("lag", numbers * width, about))
