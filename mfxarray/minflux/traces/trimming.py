"""Short traces, ends of traces, gaps in traces: what to leave out, and where to split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.runs import RunIndex, starts_of, used_only
from mfxarray.minflux.filtering.conditions import Condition
from mfxarray.minflux.filtering.masks import mask_localizations, mask_names
from mfxarray.minflux.filtering.trace_masks import TraceLength, TracePlaces, TraceRange
from mfxarray.minflux.rows import ROW, dask_rows, index_of, trace_keys, used_rows
from mfxarray.provenance import record
from mfxarray.schema import LOCALIZATIONS, by_name

__all__ = ["split_traces", "trim_traces"]

Array = np.ndarray[Any, Any]


def trim_traces(
    ds: xr.Dataset,
    *,
    least: int | None = None,
    most: int | None = None,
    shortest: float | None = None,
    longest: float | None = None,
    skip_first: int = 0,
    skip_last: int = 0,
    first: int | None = None,
    last: int | None = None,
) -> xr.Dataset:
    """Return the Dataset with masks for what is asked of traces and of places in them.

    Parameters
    ----------
    ds
        Localizations; valid ones with a position, that passed earlier filters, count.
    least, most
        Localizations a trace must have, both included.
    shortest, longest
        Seconds a trace must last, both included.
    skip_first, skip_last, first, last
        See `mfxarray.minflux.filtering.trace_masks.TracePlaces`.

    Returns
    -------
    xarray.Dataset
        With up to three new masks, applied in this order: ``trace_places``, ``trace_length``,
        ``trace_duration``, so that lengths are those after the ends were cut. Numbered when there
        are masks of that name already.

    Raises
    ------
    ValueError
        If nothing is asked for, or bounds make no sense.
    """
    steps: list[tuple[str, Condition]] = []
    if skip_first or skip_last or first is not None or last is not None:
        steps.append(("trace_places", TracePlaces(skip_first, skip_last, first, last)))
    if least is not None or most is not None:
        steps.append(("trace_length", TraceLength(least, most)))
    if shortest is not None or longest is not None:
        steps.append(("trace_duration", TraceRange("duration", shortest, longest)))
    if not steps:
        raise ValueError("nothing to trim by: give least=, first=, shortest= or another of these")
    taken = set(mask_names(ds))
    return mask_localizations(ds, [(_free(name, taken), step) for name, step in steps])


def _free(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


@dataclass(frozen=True)
class _Ends:
    """First and last time of each run of a block, and how often it breaks within."""

    first: Array
    last: Array
    breaks: Array


def split_traces(ds: xr.Dataset, *, gap: float) -> xr.Dataset:
    """Return the Dataset with traces split where nothing was localized for longer than a gap.

    Parameters
    ----------
    ds
        Localizations; valid ones with a position, that passed all filters, count.
    gap
        Seconds between two localizations of a trace above which a new trace begins.

    Returns
    -------
    xarray.Dataset
        ``tid`` numbers the pieces from 0, over all washes, in the order in which traces begin and
        within a trace in time; -1 where a localization does not count. ``tid_unsplit`` is what
        ``tid`` was.

    Raises
    ------
    ValueError
        If the gap is not above 0, or the traces were split before.

    Notes
    -----
    One counting pass and one over the times are made at once, 24 bytes a trace; the new ids are
    lazy. A step back in time longer than the gap splits too.
    """
    if not (np.isfinite(gap) and gap > 0):
        raise ValueError(f"gap must be above 0 seconds, not {gap!r}")
    if "tid_unsplit" in ds.variables:
        raise ValueError("these traces were split before; split the Dataset before that, once")
    used, keys, index = used_rows(ds), list(trace_keys(ds).values()), index_of(ds)
    tim = dask_rows(ds["tim"], used)
    numbers = _piece_numbers(index, _ends_of_runs(used, keys, tim, gap), gap)
    name = f"split-{tokenize(used, *keys, tim, gap)}"
    tasks = {}
    for block, first in enumerate(numbers):
        parts = [(array.name, block) for array in (used, *keys, tim)]
        tasks[(name, block)] = (partial(_split_block, gap=gap, first=first), parts)
    tid = graph_array(name, tasks, (used, *keys, tim), used.chunks, np.int32)
    attrs = by_name(LOCALIZATIONS)["tid"].attrs()
    before = ds["tid"].variable.copy(deep=False)
    before.attrs = {**before.attrs, "long_name": "trace id before traces were split"}
    found = ds.assign_coords(tid=((ROW,), tid, attrs), tid_unsplit=before)
    return found.assign_attrs(record(ds.attrs, "split_traces", {"gap": gap}))


def _ends_of_runs(used: da.Array, keys: list[da.Array], tim: da.Array, gap: float) -> list[_Ends]:
    found = da.map_blocks(
        _ends_block,
        used,
        *keys,
        tim,
        gap=gap,
        chunks=((1,) * used.numblocks[0],),
        dtype=object,
        meta=np.empty(0, object),
    )
    return list(found.compute())


def _ends_block(used: Array, *columns: Array, gap: float) -> Array:
    *keys, tim = used_only(used, columns)
    starts = starts_of(keys)
    pieces = _breaks(tim, starts, gap)
    breaks = np.add.reduceat(pieces, starts) if len(starts) else starts
    out = np.empty(1, object)
    out[0] = _Ends(tim[starts], tim[np.append(starts, len(tim))[1:] - 1], breaks.astype(np.int64))
    return out


def _breaks(tim: Array, starts: Array, gap: float) -> Array:
    """Return which rows begin a piece within their run, shape (row,), int64."""
    found = np.zeros(len(tim), np.int64)
    found[1:] = np.abs(np.diff(tim)) > gap
    found[starts] = 0
    return found


def _piece_numbers(index: RunIndex, ends: list[_Ends], gap: float) -> list[Array]:
    """Return for each block the number of the piece with which each of its runs begins."""
    traces = np.concatenate([place.traces() for place in index.places])
    first, last, breaks = (
        np.concatenate([getattr(end, name) for end in ends]) for name in ("first", "last", "breaks")
    )
    order = np.argsort(traces, kind="stable")
    same = np.diff(traces[order]) == 0
    apart = np.abs(first[order][1:] - last[order][:-1]) > gap
    # a run begins a new piece unless it goes on from an earlier one of its trace
    begins = np.append(True, ~same | apart)[: len(order)].astype(np.int64)
    numbers = np.empty(len(order), np.int64)
    within = np.cumsum(breaks[order]) - breaks[order]
    numbers[order] = np.cumsum(begins) - 1 + within
    stops = np.cumsum([len(end.first) for end in ends])
    if len(numbers) and numbers.max() + breaks[order][-1] > np.iinfo(np.int32).max:
        raise ValueError("more pieces than an int32 can number; make the gap longer")
    return np.split(numbers, stops[:-1])


def _split_block(blocks: list[Array], *, gap: float, first: Array) -> Array:
    used, *columns = blocks
    *keys, tim = used_only(used, columns)
    starts = starts_of(keys)
    counts = np.cumsum(_breaks(tim, starts, gap))
    lengths = np.diff(np.append(starts, len(tim)))
    out = np.full(len(used), -1, np.int32)
    out[used] = counts + np.repeat(first - counts[starts], lengths)
    return out
