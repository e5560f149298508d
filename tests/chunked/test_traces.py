"""Moments of traces in any chunks against pandas and flox, with the same bits."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
from flox import groupby_reduce
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked import traces as chunked_traces
from mfxarray.chunked.runs import index_runs
from mfxarray.chunked.traces import Reduction, trace_columns
from mfxarray.kernels.traces.moments import BLOCK, Column, join_pieces, piece_of, run_moments

# the rows of moments themselves as the one column of the table
MOMENTS = Reduction(
    lambda columns, starts: (run_moments(*columns, starts),),
    lambda columns, offset: piece_of(*columns, offset),
    lambda pieces: (join_pieces(pieces),),
    ((float, Column.WIDTH),),
)


def data_of(lengths, seed=0, fraction=0.8):
    rng = np.random.default_rng(seed)
    n = int(sum(lengths))
    tid = np.repeat(np.arange(len(lengths)) * 3 + 5, lengths).astype("i4")
    xyz = 1e-5 + 1e-9 * rng.normal(size=(n, 3))
    return tid, xyz, np.sort(rng.random(n)), rng.random(n) < fraction


class Table:
    """Keys and moments, computed."""

    def __init__(self, used, keys, position, tim, index):
        columns = trace_columns(MOMENTS, used, keys, [position, tim], index)
        *names, self.moments = dask.compute(*columns, scheduler="sync")
        for one, wanted, key in zip(names, columns, keys, strict=False):
            assert one.shape == wanted.shape
            assert one.dtype == wanted.dtype == key.dtype
        self.keys = np.stack(names, axis=1)
        assert self.moments.shape == columns[-1].shape

    def tobytes(self):
        return self.keys.tobytes() + self.moments.tobytes()

    def __getitem__(self, column):
        return self.moments[:, column]


def table_of(data, chunks):
    used, *rest = [
        da.from_array(part, chunks=(chunks, *part.shape[1:])) for part in (data[3], *data[:3])
    ]
    keys, position, tim = rest[:1], rest[1], rest[2]
    index = index_runs(used, used, keys)
    return Table(used, keys, position, tim, index)


def cut(n, *cuts):
    return tuple(np.diff([0, *cuts, n]).tolist())


def test_equals_pandas_and_flox():
    data = data_of(np.random.default_rng(1).geometric(0.1, 200))
    tid, xyz, tim, used = data
    found = table_of(data, 97)
    frame = pd.DataFrame(np.column_stack([xyz, tim]), columns=list("xyzt"))[used]
    groups = frame.groupby(tid[used], sort=False)
    assert found.keys[:, 0].tolist() == list(groups.size().index)
    np.testing.assert_array_equal(found[Column.N], groups.size())
    np.testing.assert_allclose(found[Column.MEAN], groups[["x", "y", "z"]].mean(), rtol=1e-14)
    np.testing.assert_allclose(found[Column.MEAN_TIME], groups["t"].mean(), rtol=1e-14)
    more = found[Column.N] > 1
    variance = found[Column.M2][more] / (found[Column.N][more, None] - 1)
    np.testing.assert_allclose(variance, groups[["x", "y", "z"]].var()[more], rtol=1e-6)
    np.testing.assert_array_equal(found[Column.START], groups["t"].min())
    np.testing.assert_array_equal(found[Column.END], groups["t"].max())
    means, _ = groupby_reduce(xyz[used].T.copy(), tid[used], func="nanmean")
    np.testing.assert_allclose(found[Column.MEAN], means.T, rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_chunking_gives_the_same_bits(data):
    lengths = data.draw(
        st.lists(st.sampled_from([1, 2, 3, 17, 60]), min_size=1, max_size=12), label="lengths"
    )
    given_data = data_of(lengths, fraction=data.draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])))
    n = len(given_data[0])
    cuts = data.draw(st.lists(st.integers(1, n), max_size=8, unique=True), label="cuts")
    chunks = tuple(size for size in cut(n, *sorted(cuts)) if size)
    one = table_of(given_data, n)
    many = table_of(given_data, chunks)
    assert one.tobytes() == many.tobytes()


@pytest.mark.parametrize("chunks", [1000, 4096, 4097, 7919])
def test_endless_traces(chunks):
    data = data_of([3 * BLOCK + 11, 5, 2 * BLOCK], fraction=0.99)
    one, many = (table_of(data, size) for size in (10**6, chunks))
    assert one.tobytes() == many.tobytes()
    first = slice(0, 3 * BLOCK + 11)
    wanted = data[1][first][data[3][first]].mean(0)
    np.testing.assert_allclose(many[Column.MEAN][0], wanted, rtol=1e-13)


def test_blocks_without_used_rows_in_the_middle_of_a_trace():
    tid, xyz, tim, used = data_of([90, 10], fraction=1.0)
    used[20:70] = False
    one, many = (table_of((tid, xyz, tim, used), size) for size in (100, 10))
    assert one.tobytes() == many.tobytes()
    assert many[Column.N].tolist() == [40, 10]


@pytest.mark.parametrize("chunks", [3, 7, 50])
def test_a_trace_that_comes_back_is_one_row(chunks):
    tid, xyz, tim, used = data_of([10, 10, 10], fraction=1.0)
    tid[20:] = tid[0]
    found = table_of((tid, xyz, tim, used), chunks)
    assert found[Column.N].tolist() == [20, 10]
    both = np.concatenate([xyz[:10], xyz[20:]])
    np.testing.assert_allclose(found[Column.MEAN][0], both.mean(0), rtol=1e-15)
    np.testing.assert_allclose(found[Column.M2][0], both.var(0) * 20, rtol=1e-9)
    assert found.tobytes() == table_of((tid, xyz, tim, used), 30).tobytes()


@pytest.mark.parametrize("least", [1, 20, 10**6])
def test_several_blocks_of_the_table(least, monkeypatch):
    monkeypatch.setattr(chunked_traces, "TABLE_ROWS", least)
    data = data_of([*np.random.default_rng(3).geometric(0.1, 120), 2 * BLOCK, 3, BLOCK + 1])
    assert table_of(data, 1000).tobytes() == table_of(data, 10**6).tobytes()


@pytest.mark.parametrize("chunks", [7, 1000, 4500])
def test_traces_in_any_order(chunks):
    tid, xyz, tim, used = data_of([3, 5000, 1, 40, 6000, 40])
    order = np.random.default_rng(1).permutation(len(tid))
    # half of the rows shuffled, so that there are long runs and short ones
    order[len(tid) // 2 :] = np.sort(order[len(tid) // 2 :])
    data = (tid[order], xyz[order], tim[order], used[order])
    one, many = table_of(data, 10**6), table_of(data, chunks)
    assert one.tobytes() == many.tobytes()
    for name, row in zip(one.keys[:, 0], one.moments, strict=True):
        rows = data[3] & (data[0] == name)
        whole = run_moments(data[1][rows], data[2][rows], np.zeros(1, np.int64))
        assert row.tobytes() == whole.tobytes()


def test_two_keys():
    tid, xyz, tim, used = data_of([6, 6], fraction=1.0)
    tid[:] = 4
    wash = np.repeat([0, 1], 6)
    arrays = [
        da.from_array(part, chunks=(5, *part.shape[1:])) for part in (wash, tid, xyz, tim, used)
    ]
    index = index_runs(arrays[4], arrays[4], arrays[:2])
    table = Table(arrays[4], arrays[:2], *arrays[2:4], index)
    assert table.keys.tolist() == [[0, 4], [1, 4]]
    assert table[Column.N].tolist() == [6, 6]


def test_nothing_used():
    data = data_of([5, 5], fraction=0.0)
    table = table_of(data, 3)
    assert table.moments.shape == (0, Column.WIDTH)
    assert table.keys.shape == (0, 1)
