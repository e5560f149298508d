"""What all analyses of tracks share: how tracks are made, and columns with one row a track."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.trace_parts import Reduction
from mfxarray.chunked.traces import trace_columns
from mfxarray.kernels.tracking.track_points import TrackRules, Tracks, tracks_of
from mfxarray.minflux.rows import dask_rows, index_of, last_iteration_of, trace_keys, used_rows

__all__ = [
    "Columns",
    "Make",
    "as_dataset",
    "rules_of",
    "rules_record",
    "track_columns",
    "track_rows",
]

Array = np.ndarray[Any, Any]
# takes tracks, gives columns with a row for each
Make = Callable[[Tracks], tuple[Array, ...]]
# dtype of each column, and its width or None for none
Columns = Sequence[tuple[Any, int | None]]


def rules_of(
    dimensions: int | None, trim: int, gap: float | None, gap_time: float | None
) -> TrackRules:
    """Return how tracks are made.

    The parameters are those of `mfxarray.minflux.tracking.tracking.diffusion`.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    if dimensions not in (None, 1, 2, 3) or isinstance(dimensions, bool):
        raise ValueError(
            f"dimensions must be 1, 2 or 3, or None for measured axes, not {dimensions!r}"
        )
    if isinstance(trim, bool) or not isinstance(trim, int) or trim < 0:
        raise ValueError(f"trim must be a number of localizations from 0, not {trim!r}")
    if gap is not None and not gap >= 1:
        raise ValueError(f"gap must be 1 or more times the shortest step, or None, not {gap!r}")
    if gap_time is not None and not gap_time > 0:
        raise ValueError(f"gap_time must be above 0 seconds, or None, not {gap_time!r}")
    return TrackRules(
        dimensions or 0,
        trim,
        math.inf if gap is None else float(gap),
        math.inf if gap_time is None else float(gap_time),
    )


def rules_record(rules: TrackRules) -> dict[str, Any]:
    """Return the parameters as they are recorded; infinity is no JSON."""
    found = asdict(rules)
    return {name: None if value in (0, math.inf) else value for name, value in found.items()}


def track_columns(
    ds: xr.Dataset, rules: TrackRules, make: Make, columns: Columns
) -> tuple[dict[str, da.Array], list[da.Array]]:
    """Return the keys of all traces and columns that are made of their tracks.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    rules
        How tracks are made.
    make
        Makes the columns; what it gives for a track depends on that track alone.
    columns
        What it makes.

    Notes
    -----
    Lazy but for the counting pass of `mfxarray.minflux.rows.index_of`. The rows of a trace that
    crosses chunks are carried, so the bits are the same for every chunking, and memory is bounded
    by the longest trace.
    """
    keys, used = trace_keys(ds), used_rows(ds)
    position = dask_rows(last_iteration_of(ds, "position"), used)
    tim = dask_rows(ds["tim"], used)
    whole = partial(_whole, rules=rules, make=make)
    reduction = Reduction(whole, _rows, partial(_join, whole=whole), tuple(columns))
    found = trace_columns(reduction, used, list(keys.values()), [tim, position], index_of(ds))
    return dict(zip(keys, found, strict=False)), found[len(keys) :]


def track_rows(
    ds: xr.Dataset, rules: TrackRules, make: Callable[[Tracks], Array], width: int
) -> da.Array:
    """Return rows of numbers, one a track, shape (track, width)."""
    _, (rows,) = track_columns(ds, rules, partial(_single, make=make), [(float, width)])
    return rows


def _single(tracks: Tracks, *, make: Callable[[Tracks], Array]) -> tuple[Array, ...]:
    return (make(tracks),)


def _whole(
    columns: list[Array], starts: Array, *, rules: TrackRules, make: Make
) -> tuple[Array, ...]:
    tim, xyz = columns
    return make(tracks_of(tim, xyz, starts, rules))


def _rows(columns: list[Array], offset: int) -> list[Array]:
    # copies, so that they do not keep the block
    return [column.copy() for column in columns]


def _join(
    pieces: list[list[Array]], *, whole: Callable[..., tuple[Array, ...]]
) -> tuple[Array, ...]:
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    return whole(columns, np.zeros(1, np.int64))


def as_dataset(
    ds: xr.Dataset, keys: dict[str, da.Array], variables: dict[str, Any], attrs: Any
) -> xr.Dataset:
    """Return variables along ``trace`` with what names each trace."""
    coords = {name: ("trace", data, ds[name].attrs) for name, data in keys.items()}
    return xr.Dataset(variables, coords, attrs)
