"""Labels of whole traces and running numbers against numpy, for traces cut and interleaved."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.runs import index_runs
from mfxarray.chunked.trace_labels import label_traces, number_parts
from mfxarray.testing import raise_if_computes

ROWS = 200


def rows(kind, seed=0):
    """Trace ids: rising, rising with gaps, or coming back after others."""
    rng = np.random.default_rng(seed)
    if kind == "back":
        return rng.integers(0, 12, ROWS)
    return np.sort(rng.integers(0, 25, ROWS)) * (3 if kind == "gaps" else 1)


def ranks(columns, starts, limits):
    """Place of each row in its trace, plus the limit, plus the sum of the trace's values."""
    values = columns[0]
    lengths = np.diff(np.append(starts, len(values)))
    place = np.arange(len(values)) - np.repeat(starts, lengths)
    total = np.add.reduceat(values, starts) if len(starts) else values
    extra = 0 if limits is None else int(limits[0])
    return place + 1000 * np.repeat(total, lengths) + extra


def expected(tid, used, values):
    out = np.full(ROWS, -1)
    for name in np.unique(tid[used]):
        own = np.flatnonzero(used & (tid == name))
        out[own] = np.arange(len(own)) + 1000 * values[own].sum()
    return out


@pytest.mark.parametrize("kind", ["rising", "gaps", "back"])
@pytest.mark.parametrize("chunks", [ROWS, 7, (1, 1, 98, 99, 1), 64])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_equals_numpy(kind, chunks, scheduler):
    rng = np.random.default_rng(1)
    tid, used, values = rows(kind), rng.random(ROWS) < 0.8, rng.integers(0, 50, ROWS)
    arrays = [da.from_array(a, chunks=chunks) for a in (used, tid, values)]
    index = index_runs(arrays[0], arrays[0], [arrays[1]])
    limits = da.from_array(np.array([5]), chunks=-1)
    with raise_if_computes():
        plain = label_traces(ranks, arrays[0], [arrays[1]], [arrays[2]], index)
        more = label_traces(ranks, arrays[0], [arrays[1]], [arrays[2]], index, limits)
    wanted = expected(tid, used, values)
    with dask.config.set(scheduler=scheduler):
        np.testing.assert_array_equal(plain, wanted)
        np.testing.assert_array_equal(more, np.where(used, wanted + 5, -1))
    assert plain.dtype == np.int64
    assert plain.chunks == arrays[0].chunks


@pytest.mark.parametrize("kind", ["rising", "gaps", "back"])
@pytest.mark.parametrize("chunks", [ROWS, 7, (1, 1, 98, 99, 1)])
@pytest.mark.parametrize("first", [None, 100])
def test_numbers_run_on(kind, chunks, first):
    rng = np.random.default_rng(2)
    tid, used = rows(kind), rng.random(ROWS) < 0.8
    parts = np.where(used, rng.integers(-1, 3, ROWS), -1)
    wanted, following = np.full(ROWS, -1), first or 0
    for name in dict.fromkeys(tid[used].tolist()):
        own = used & (tid == name)
        wanted[own & (parts >= 0)] = following + parts[own & (parts >= 0)]
        following += parts[own].max() + 1
    arrays = [da.from_array(a, chunks=chunks) for a in (used, tid, parts)]
    index = index_runs(arrays[0], arrays[0], [arrays[1]])
    base = None if first is None else da.from_array(np.array([first]))
    found = number_parts(arrays[2], arrays[0], [arrays[1]], index, base)
    np.testing.assert_array_equal(found, wanted)


def test_many_parts_need_more_than_a_byte():
    parts = np.arange(ROWS * 2)
    used, tid = np.ones(ROWS * 2, bool), np.zeros(ROWS * 2, int)
    arrays = [da.from_array(a, chunks=150) for a in (used, tid, parts)]
    index = index_runs(arrays[0], arrays[0], [arrays[1]])
    np.testing.assert_array_equal(number_parts(arrays[2], arrays[0], [arrays[1]], index), parts)


def test_nothing_used():
    none, tid = da.zeros(10, dtype=bool, chunks=4), da.zeros(10, dtype=int, chunks=4)
    index = index_runs(none, none, [tid])
    labels = label_traces(ranks, none, [tid], [tid], index)
    assert (labels.compute() == -1).all()
    assert (number_parts(labels, none, [tid], index).compute() == -1).all()
