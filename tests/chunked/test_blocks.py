"""Dask arrays over sources: one read a block, and second passes that really read again."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.blocks import (
    KEPT,
    as_dask,
    field_array,
    frame_array,
    record_array,
    reread,
    whole,
)

DTYPE = np.dtype([("tid", "i4"), ("itr", [("efo", "f8"), ("loc", "f8", (3,))], (2,))])


class Counted:
    """A source that counts its reads; the scheduler must be synchronous."""

    def __init__(self, data):
        self.data, self.reads = data, []

    def read(self, start, stop):
        self.reads.append((start, stop))
        return self.data[start:stop].copy()


def take(rows, path, dtype):
    for name in path:
        rows = rows[name]
    return np.ascontiguousarray(rows, dtype)


@pytest.fixture
def records():
    data = np.zeros(10, DTYPE)
    data["tid"] = np.arange(10)
    data["itr"]["efo"] = np.arange(20).reshape(10, 2)
    data["itr"]["loc"] = np.arange(60).reshape(10, 2, 3)
    return Counted(data)


def fields(source, rows=(3, 3, 4)):
    blocks = record_array(source.read, "token", rows, DTYPE)
    return (
        field_array(blocks, take, ("tid",), np.dtype("i4"), ()),
        field_array(blocks, take, ("itr", "efo"), np.dtype("f8"), (2,)),
        field_array(blocks, take, ("itr", "loc"), np.dtype("f8"), (2, 3)),
    )


def test_fields_equal_the_records_and_share_one_read(records):
    arrays = fields(records)
    assert records.reads == []
    tid, efo, loc = dask.compute(*arrays, scheduler="sync")
    np.testing.assert_array_equal(tid, records.data["tid"])
    np.testing.assert_array_equal(efo, records.data["itr"]["efo"])
    np.testing.assert_array_equal(loc, records.data["itr"]["loc"])
    assert sorted(records.reads) == [(0, 3), (3, 6), (6, 10)]


def test_one_block_reads_one_range(records):
    _, efo, _ = fields(records)
    efo[4:5].compute(scheduler="sync")
    assert records.reads == [(3, 6)]


def test_names_tell_content(records):
    first, second = fields(records), fields(records)
    assert [array.name for array in first] == [array.name for array in second]
    other = fields(records, rows=(5, 5))
    assert first[0].name != other[0].name


def test_frames():
    source = Counted(np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5))
    frames = frame_array(source.read, "token", (1, 1), (3, 4, 5), source.data.dtype)
    np.testing.assert_array_equal(frames.compute(scheduler="sync"), source.data)
    assert sorted(source.reads) == [(0, 1), (1, 2)]


def make_graph(source, kind):
    frames = frame_array(source.read, "token", (2, 2, 2), (1, 4, 4), source.data.dtype)
    if kind == "sliced":
        return frames[:5, :, 1:]
    if kind == "rechunked":
        return frames.rechunk((3, 1, 2, 4)) + 1
    if kind == "reduced":
        return frames.sum(axis=0, keepdims=True) * frames
    if kind == "fancy":
        return frames[[4, 0, 3]][:, :, ::-1]
    return frames


@pytest.mark.parametrize("kind", ["plain", "sliced", "rechunked", "reduced", "fancy"])
def test_a_second_pass_gives_the_same_and_reads_again(kind):
    source = Counted(np.arange(96).reshape(6, 1, 4, 4))
    first = make_graph(source, kind)
    wanted = first.compute(scheduler="sync")
    once = len(source.reads)
    source.reads.clear()
    again = reread(first, "test")
    one, two = dask.compute(first, again, scheduler="sync")
    np.testing.assert_array_equal(one, wanted)
    np.testing.assert_array_equal(two, wanted)
    assert len(source.reads) == 2 * once


def test_two_purposes_do_not_share():
    source = Counted(np.arange(96).reshape(6, 1, 4, 4))
    first = make_graph(source, "sliced")
    dask.compute(reread(first, "one"), reread(first, "two"), scheduler="sync")
    assert len(source.reads) == 6
    nested = reread(reread(first, "one"), "one")
    np.testing.assert_array_equal(nested.compute(scheduler="sync"), source.data[:5, :, 1:])


def test_kept_layers_are_shared():
    source = Counted(np.arange(96).reshape(6, 1, 4, 4))
    frames = frame_array(source.read, "token", (2, 2, 2), (1, 4, 4), source.data.dtype)
    small = frames.map_blocks(np.sign, name=KEPT + "sign", dtype=frames.dtype)
    both = frames * small
    dask.compute(both, reread(both, "again"), scheduler="sync")
    # frames twice, but the kept layer once with the first
    assert len(source.reads) == 6
    assert KEPT + "sign" in reread(both, "again").dask.layers


def test_a_second_pass_over_numpy_data():
    array = da.from_array(np.arange(12).reshape(3, 4), chunks=(1, 4))
    np.testing.assert_array_equal(reread(array, "x").compute(), np.arange(12).reshape(3, 4))


def test_graphs_travel(records):
    loc = fields(records)[2]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(loc)).compute(), loc.compute())


def test_as_dask_and_whole():
    array = da.ones((4, 6), chunks=2)
    assert as_dask(array) is array
    assert as_dask([1, 2]).compute().tolist() == [1, 2]
    assert whole(array, (1,)).chunks == ((2, 2), (6,))
    assert whole(array.rechunk((2, 6)), (1,)).chunks == ((2, 2), (6,))
