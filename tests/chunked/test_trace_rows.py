"""Whole traces in any chunks: sums, medians, places and values of rows, with the same bits."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked import trace_rows
from mfxarray.chunked.runs import index_runs
from mfxarray.chunked.trace_rows import reduce_traces, table_groups, trace_places, values_of_rows
from mfxarray.kernels.traces.medians import run_medians
from mfxarray.testing import raise_if_computes
from tests.chunked.test_traces import cut


def reduced(columns, starts):
    """First value, median and number of rows of each trace."""
    (values,) = columns
    rows = np.column_stack(
        [
            values[starts],
            run_medians(values, starts),
            np.diff(np.append(starts, len(values))),
        ]
    )
    return rows, np.ones(len(starts), np.int64)


def doubled(columns, starts):
    """Every other row of each trace."""
    (values,) = columns
    parts = [part[::2] for part in np.split(values, starts[1:])] if len(starts) else []
    rows = np.concatenate(parts) if parts else np.empty(0)
    return rows[:, None], np.array([len(part) for part in parts], np.int64)


class Rows:
    """Used rows, ids and values as dask arrays of the same chunks."""

    def __init__(self, tid, values, used, chunks):
        arrays = [da.from_array(np.asarray(part), chunks=(chunks,)) for part in (used, tid, values)]
        self.used, self.tid, self.values = arrays
        self.keys = [self.tid]
        self.index = index_runs(self.used, self.used, self.keys)

    def reduce(self, function=reduced, width=3, **more):
        found = reduce_traces(
            function, self.used, self.keys, [self.values], self.index, width=width, **more
        )
        computed = found.compute(scheduler="sync")
        assert computed.shape == found.shape
        return computed

    def places(self):
        found = trace_places(self.used, self.keys, self.index)
        computed = found.compute(scheduler="sync")
        assert computed.shape == found.shape
        return computed


def by_pandas(tid, values, used):
    groups = pd.Series(values[used]).groupby(tid[used], sort=False)
    return np.column_stack([groups.first(), groups.median(), groups.size()])


def traces_of(lengths, seed=0, fraction=0.8):
    rng = np.random.default_rng(seed)
    n = int(sum(lengths))
    tid = np.repeat(rng.permutation(len(lengths)) * 3 + 5, lengths).astype("i4")
    return tid, rng.normal(size=n), rng.random(n) < fraction


@pytest.mark.parametrize("chunks", [1, 7, 97, 10_000])
def test_equals_pandas(chunks):
    data = traces_of(np.random.default_rng(1).geometric(0.1, 200))
    np.testing.assert_array_equal(Rows(*data, chunks).reduce(), by_pandas(*data))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_of_traces_and_any_chunks(data):
    n = data.draw(st.integers(1, 60))
    tid = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), "i4")
    used = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    values = np.random.default_rng(n).normal(size=n)
    cuts = data.draw(st.lists(st.integers(1, n), max_size=8, unique=True))
    rows = Rows(tid, values, used, tuple(size for size in cut(n, *sorted(cuts)) if size))
    wanted = by_pandas(tid, values, used) if used.any() else np.empty((0, 3))
    np.testing.assert_array_equal(rows.reduce(), wanted)
    places = rows.places()
    frame = pd.DataFrame({"tid": tid[used]})
    np.testing.assert_array_equal(places[used, 0], pd.factorize(tid[used])[0])
    np.testing.assert_array_equal(places[used, 1], frame.groupby("tid").cumcount())
    np.testing.assert_array_equal(places[used, 2], frame.groupby("tid")["tid"].transform("size"))
    assert (places[~used] == (-1, -1, 0)).all()


def test_several_blocks_of_the_table(monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 10)
    data = traces_of(np.random.default_rng(3).geometric(0.2, 150))
    rows = Rows(*data, 13)
    groups, sizes = table_groups(rows.index)
    assert len(groups) > 5
    assert sum(sizes) == rows.index.n_traces
    np.testing.assert_array_equal(rows.reduce(), by_pandas(*data))


def test_a_trace_over_many_blocks(monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 2)
    data = traces_of([3, 90, 2, 4, 50], fraction=1.0)
    np.testing.assert_array_equal(Rows(*data, 10).reduce(), by_pandas(*data))


def test_results_of_several_rows_a_trace(monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 10)
    data = traces_of(np.random.default_rng(3).geometric(0.2, 150), fraction=1.0)
    rows = Rows(*data, 13)
    counts = (by_pandas(*data)[:, 2].astype(int) + 1) // 2
    bounds = np.cumsum([0, *table_groups(rows.index)[1]])
    sizes = tuple(int(counts[a:b].sum()) for a, b in pairwise(bounds))
    found = rows.reduce(doubled, width=1, sizes=sizes)
    wanted = doubled([data[1]], np.flatnonzero(np.append(True, np.diff(data[0]) != 0)))[0]
    np.testing.assert_array_equal(found, wanted)


def test_values_are_given_back_to_rows(monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 10)
    tid, values, used = traces_of(np.random.default_rng(4).geometric(0.2, 150))
    rows = Rows(tid, values, used, 13)
    table = reduce_traces(reduced, rows.used, rows.keys, [rows.values], rows.index, width=3)
    assert table.numblocks[0] > 5
    found = values_of_rows(table[:, 1], rows.used, rows.keys, rows.index).compute()
    wanted = pd.Series(values[used]).groupby(tid[used]).transform("median")
    np.testing.assert_array_equal(found[used], wanted)
    assert np.isnan(found[~used]).all()
    flags = values_of_rows(table[:, 2] > 3, rows.used, rows.keys, rows.index).compute()
    long = pd.Series(values[used]).groupby(tid[used]).transform("size") > 3
    np.testing.assert_array_equal(flags[used], long)
    assert not flags[~used].any()


def test_two_keys():
    tid, wash = np.full(12, 4), np.repeat([0, 1], 6)
    arrays = [da.from_array(part, chunks=5) for part in (np.ones(12, bool), wash, tid)]
    index = index_runs(arrays[0], arrays[0], arrays[1:])
    found = trace_places(arrays[0], arrays[1:], index).compute()
    np.testing.assert_array_equal(found[:, 0], wash)
    np.testing.assert_array_equal(found[:, 1], [*range(6), *range(6)])


def test_nothing_used():
    rows = Rows(*traces_of([5, 5], fraction=0.0), 3)
    assert rows.reduce().shape == (0, 3)
    assert (rows.places() == (-1, -1, 0)).all()
    table = da.empty((0,), chunks=((0,),))
    assert np.isnan(values_of_rows(table, rows.used, rows.keys, rows.index).compute()).all()


def test_nothing_is_computed_before_it_is_asked_for():
    rows = Rows(*traces_of([5, 9, 3]), 4)
    with raise_if_computes():
        table = reduce_traces(
            partial(reduced), rows.used, rows.keys, [rows.values], rows.index, width=3
        )
        values_of_rows(table[:, 0], rows.used, rows.keys, rows.index)
        trace_places(rows.used, rows.keys, rows.index)


def test_changed_data_are_noticed():
    rows = Rows(*traces_of([5, 9, 3], fraction=1.0), 20)
    other = da.from_array(np.arange(17), chunks=20)
    table = reduce_traces(reduced, rows.used, [other], [rows.values], rows.index, width=3)
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        table.compute(scheduler="sync")
