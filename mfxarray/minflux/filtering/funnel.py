"""How many localizations and traces each filter left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.runs import BlockRuns, RunIndex, keys_at, starts_of
from mfxarray.minflux.filtering.masks import PREFIX, mask_names
from mfxarray.minflux.rows import dask_rows, selected_rows, trace_keys

__all__ = ["funnel"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Counts:
    """What one block tells: rows that pass each step, and which of its runs have such rows."""

    rows: Array
    runs: BlockRuns
    passing: Array


def funnel(ds: xr.Dataset) -> xr.Dataset:
    """Return how many localizations and traces are left after each mask, in memory.

    Parameters
    ----------
    ds
        Localizations with the masks of `mfxarray.minflux.filtering.masks.mask_localizations`.

    Returns
    -------
    xarray.Dataset
        Dimension ``step``: "all", then the masks in the order in which they were made, then
        "selected" where filters without a name left less. ``localizations`` and ``traces`` that
        are left, and how many of them the step removed. A trace is left as long as one of its
        localizations is.

    Notes
    -----
    One pass over masks and ids, made at once; about one byte a trace and step.
    """
    selected = selected_rows(ds)
    names = mask_names(ds)
    masks = [dask_rows(ds[f"{PREFIX}{name}"], selected) for name in names]
    keys = list(trace_keys(ds).values())
    found = da.map_blocks(
        _count_block,
        *masks,
        selected,
        *keys,
        n_masks=len(masks),
        chunks=((1,) * selected.numblocks[0],),
        dtype=object,
        meta=np.empty(0, object),
    )
    blocks: list[_Counts] = list(found.compute())
    rows = np.sum([block.rows for block in blocks], axis=0)
    traces = _count_traces(blocks)
    steps = ["all", *names, "selected"]
    if rows[-1] == rows[-2]:
        rows, traces, steps = rows[:-1], traces[:-1], steps[:-1]
    return _table(steps, rows, traces)


def _count_block(*columns: Array, n_masks: int) -> Array:
    masks, keys = columns[: n_masks + 1], columns[n_masks + 1 :]
    passing = np.ones((len(keys[0]), n_masks + 2), bool)
    for step, mask in enumerate(masks, start=1):
        np.logical_and(passing[:, step - 1], mask, out=passing[:, step])
    starts = starts_of(keys)
    lengths = np.diff(np.append(starts, len(keys[0])))
    runs = BlockRuns(len(passing), keys_at(keys, starts), lengths)
    within = np.logical_or.reduceat(passing, starts) if len(starts) else passing[:0]
    out = np.empty(1, object)
    out[0] = _Counts(passing.sum(axis=0), runs, within)
    return out


def _count_traces(blocks: list[_Counts]) -> Array:
    index = RunIndex(tuple(block.runs for block in blocks))
    left = np.zeros((index.n_traces, blocks[0].passing.shape[1]), bool)
    for block, place in zip(blocks, index.places, strict=True):
        # a trace may come twice in a block
        np.logical_or.at(left, place.traces(), block.passing)
    return left.sum(axis=0)


def _table(steps: list[str], rows: Array, traces: Array) -> xr.Dataset:
    def counts(values: Array, name: str) -> tuple[str, Array, dict[str, str]]:
        return ("step", values.astype(np.int64), {"units": "1", "long_name": name})

    return xr.Dataset(
        {
            "localizations": counts(rows, "localizations left"),
            "traces": counts(traces, "traces left"),
            "removed_localizations": counts(-np.diff(rows, prepend=rows[0]), "removed here"),
            "removed_traces": counts(-np.diff(traces, prepend=traces[0]), "traces removed here"),
        },
        {"step": ("step", steps, {"long_name": "mask"})},
    )
