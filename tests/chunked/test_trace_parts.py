"""Parts of a trace table, and how they are put together."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.runs import index_runs
from mfxarray.chunked.trace_parts import Reduction, TracePart, fill_column, reduce_block
from mfxarray.chunked.traces import trace_columns

FIRSTS = Reduction(
    lambda columns, starts: (columns[0][starts],),
    lambda columns, offset: (offset, columns[0].copy()),
    lambda pieces: (pieces[0][1][:1],),
    ((float, None),),
)


def arrays_of(tid, chunks):
    rows = da.from_array(np.asarray(tid), chunks=chunks)
    used = da.ones(len(tid), chunks=chunks, dtype=bool)
    return used, rows, index_runs(used, used, [rows])


def test_whole_traces_and_rows_of_shared_ones():
    tid, values = np.array([1, 1, 2, 3, 3, 3]), np.arange(6.0)
    _, _, index = arrays_of(tid, 5)
    found = reduce_block(
        [None, tid[:5], values[:5]], reduction=FIRSTS, n_keys=1, place=index.places[0]
    )
    assert found.numbers == slice(0, 2)
    assert [column.tolist() for column in found.columns] == [[1, 2], [0.0, 2.0]]
    numbers, lengths, columns = found.shared
    assert (numbers.tolist(), lengths.tolist()) == ([2], [2])
    assert [column.tolist() for column in columns] == [[3, 3], [3.0, 4.0]]
    assert not any(np.shares_memory(column, values) for column in columns)


def test_long_traces_give_pieces_in_order():
    tid = np.repeat([4, 5, 6], [10, 6000, 2])
    used, rows, index = arrays_of(tid, 2500)
    seen = []
    spy = Reduction(
        FIRSTS.whole,
        FIRSTS.piece,
        lambda pieces: (seen.extend(pieces), FIRSTS.join(pieces))[1],
        FIRSTS.columns,
    )
    values = da.arange(len(tid), chunks=2500, dtype=float)
    keys, firsts = trace_columns(spy, used, [rows], [values], index)
    assert firsts.compute(scheduler="sync").tolist() == [0.0, 10.0, 6010.0]
    assert keys.compute(scheduler="sync").tolist() == [4, 5, 6]
    assert [offset for offset, _ in seen[:3]] == [0, 2490, 4990]


def test_a_column_is_filled_from_parts_in_any_order():
    parts = [
        TracePart(slice(10, 12), (np.array([1.0, 2.0]),)),
        TracePart(np.array([13, 12]), (np.array([4.0, 3.0]),)),
        TracePart(slice(0, 0), (np.empty(0),)),
    ]
    how = {"number": 0, "first": 10, "dtype": np.dtype(float)}
    assert fill_column(parts, None, shape=(4,), **how).tolist() == [1.0, 2.0, 3.0, 4.0]
    joined = TracePart(np.array([14]), (np.array([5.0]),))
    assert fill_column(parts, joined, shape=(5,), **how)[-1] == 5.0
    with pytest.raises(RuntimeError, match="counted before"):
        fill_column(parts, None, shape=(6,), **how)


def test_changed_data_are_noticed():
    used, _, index = arrays_of([1, 1, 2], 3)
    other = da.from_array(np.array([1, 2, 3]), chunks=3)
    columns = trace_columns(FIRSTS, used, [other], [other.astype(float)], index)
    with pytest.raises(RuntimeError, match="counted before"):
        columns[0].compute(scheduler="sync")
