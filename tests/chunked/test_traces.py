"""Moments of traces in any chunks against pandas and flox, with the same bits."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from flox import groupby_reduce
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked.traces import index_runs, trace_moments
from mfxarray.kernels.moments import BLOCK


def data_of(lengths, seed=0, fraction=0.8):
    rng = np.random.default_rng(seed)
    n = int(sum(lengths))
    tid = np.repeat(np.arange(len(lengths)) * 3 + 5, lengths).astype("i4")
    xyz = 1e-5 + 1e-9 * rng.normal(size=(n, 3))
    return tid, xyz, np.sort(rng.random(n)), rng.random(n) < fraction


def table_of(data, chunks):
    tid, xyz, tim, used = data
    arrays = [
        da.from_array(part, chunks=(chunks, *part.shape[1:])) for part in (tid, xyz, tim, used)
    ]
    keys, columns, mask = [arrays[0]], arrays[1:3], arrays[3]
    index = index_runs(mask, mask, keys)
    return trace_moments(mask, keys, columns, index)


def cut(n, *cuts):
    return tuple(np.diff([0, *cuts, n]).tolist())


def test_equals_pandas_and_flox():
    data = data_of(np.random.default_rng(1).geometric(0.1, 200))
    tid, xyz, tim, used = data
    found = table_of(data, 97).compute(scheduler="sync")
    frame = pd.DataFrame(np.column_stack([xyz, tim]), columns=list("xyzt"))[used]
    groups = frame.groupby(tid[used], sort=False)
    assert found["key"][:, 0].tolist() == list(groups.size().index)
    np.testing.assert_array_equal(found["n"], groups.size())
    np.testing.assert_allclose(found["mean"], groups.mean(), rtol=1e-14)
    more = found["n"] > 1
    variance = found["m2"][more] / (found["n"][more, None] - 1)
    np.testing.assert_allclose(variance, groups.var()[more], rtol=1e-6)
    np.testing.assert_array_equal(found["low"][:, 3], groups["t"].min())
    np.testing.assert_array_equal(found["high"][:, 3], groups["t"].max())
    means, _ = groupby_reduce(xyz[used].T.copy(), tid[used], func="nanmean")
    np.testing.assert_allclose(found["mean"][:, :3], means.T, rtol=1e-14)


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
    assert many.shape == one.shape
    assert one.compute(scheduler="sync").tobytes() == many.compute(scheduler="sync").tobytes()


@pytest.mark.parametrize("chunks", [1000, 4096, 4097, 7919])
def test_endless_traces(chunks):
    data = data_of([3 * BLOCK + 11, 5, 2 * BLOCK], fraction=0.99)
    one, many = (table_of(data, size).compute(scheduler="sync") for size in (10**6, chunks))
    assert one.tobytes() == many.tobytes()
    np.testing.assert_allclose(
        many["mean"][0, :3],
        data[1][: 3 * BLOCK + 11][data[3][: 3 * BLOCK + 11]].mean(0),
        rtol=1e-13,
    )


def test_blocks_without_used_rows_in_the_middle_of_a_trace():
    tid, xyz, tim, used = data_of([90, 10], fraction=1.0)
    used[20:70] = False
    one, many = (table_of((tid, xyz, tim, used), size).compute() for size in (100, 10))
    assert one.tobytes() == many.tobytes()
    assert many["n"].tolist() == [40, 10]


@pytest.mark.parametrize("chunks", [3, 7, 50])
def test_a_trace_that_comes_back_is_one_row(chunks):
    tid, xyz, tim, used = data_of([10, 10, 10], fraction=1.0)
    tid[20:] = tid[0]
    found = table_of((tid, xyz, tim, used), chunks)
    assert found.shape == (2,)
    table = found.compute()
    assert table["n"].tolist() == [20, 10]
    both = np.concatenate([xyz[:10], xyz[20:]])
    np.testing.assert_allclose(table["mean"][0, :3], both.mean(0), rtol=1e-15)
    np.testing.assert_allclose(table["m2"][0, :3], both.var(0) * 20, rtol=1e-9)
    assert table.tobytes() == table_of((tid, xyz, tim, used), 30).compute().tobytes()


def test_two_keys():
    tid, xyz, tim, used = data_of([6, 6], fraction=1.0)
    tid[:] = 4
    wash = np.repeat([0, 1], 6)
    arrays = [
        da.from_array(part, chunks=(5, *part.shape[1:])) for part in (wash, tid, xyz, tim, used)
    ]
    index = index_runs(arrays[4], arrays[4], arrays[:2])
    table = trace_moments(arrays[4], arrays[:2], arrays[2:4], index).compute()
    assert table["key"].tolist() == [[0, 4], [1, 4]]
    assert table["n"].tolist() == [6, 6]


def test_nothing_used():
    data = data_of([5, 5], fraction=0.0)
    table = table_of(data, 3)
    assert table.shape == (0,)
    assert len(table.compute()) == 0


def test_the_index_of_joined_blocks():
    tid, _, _, used = data_of([30, 3, 40, 2], fraction=0.7)
    arrays = [da.from_array(part, chunks=10) for part in (used, tid)]
    fine = index_runs(arrays[0], arrays[0], arrays[1:])
    coarse = [array.rechunk(((20, 50, 5),)) for array in arrays]
    wanted = index_runs(coarse[0], coarse[0], coarse[1:])
    found = fine.grouped([(0, 2), (2, 7), (7, 8)])
    for one, two in zip(found.blocks, wanted.blocks, strict=True):
        assert one.n_selected == two.n_selected
        np.testing.assert_array_equal(one.keys, two.keys)
        np.testing.assert_array_equal(one.lengths, two.lengths)
