"""The index of runs: what each block holds, what goes on in the next, what joining blocks gives."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.runs import RunIndex, index_runs, keys_at, starts_of, used_only
from mfxarray.errors import ChunkError
from tests.chunked.test_traces import data_of


def index_of(tid, used=None, chunks=3):
    rows = np.asarray(tid, "i4")
    mask = np.ones(len(rows), bool) if used is None else np.asarray(used)
    arrays = [da.from_array(part, chunks=chunks) for part in (mask, rows)]
    return index_runs(arrays[0], arrays[0], arrays[1:])


def test_blocks_and_what_goes_on():
    index = index_of([1, 1, 2, 2, 2, 2, 2, 3, 4])
    assert [block.keys[:, 0].tolist() for block in index.blocks] == [[1, 2], [2], [2, 3, 4]]
    assert [block.lengths.tolist() for block in index.blocks] == [[2, 1], [3], [1, 1, 1]]
    assert index.continuing() == [(False, 0), (True, 1), (True, 4)]
    assert index.n_traces == 4


def test_blocks_without_used_rows_are_passed_over():
    index = index_of([7] * 9, used=[True] * 3 + [False] * 3 + [True] * 3)
    assert index.continuing() == [(False, 0), (False, 0), (True, 3)]
    assert [block.n_selected for block in index.blocks] == [3, 0, 3]
    assert index.n_traces == 1


@pytest.mark.parametrize(
    ("tid", "n"), [([], 0), ([5], 1), ([1, 2, 3], 3), ([3, 2, 1], 3), ([1, 2, 1, 2], 2)]
)
def test_traces_are_counted_whatever_their_order(tid, n):
    assert index_of(tid, chunks=2).n_traces == n


def test_two_keys_are_counted_together():
    wash, tid = np.repeat([0, 0, 1, 1], 3), np.repeat([4, 5, 4, 4], 3)
    arrays = [da.from_array(part, chunks=5) for part in (np.ones(12, bool), wash, tid)]
    index = index_runs(arrays[0], arrays[0], arrays[1:])
    assert index.n_traces == 3
    assert index.runs().keys.tolist() == [[0, 4], [0, 5], [1, 4]]
    assert index.runs().lengths.tolist() == [3, 3, 6]


def test_different_chunks_are_refused():
    mask, key = da.ones(6, chunks=3, dtype=bool), da.ones(6, chunks=2, dtype=int)
    with pytest.raises(ChunkError):
        index_runs(mask, mask, [key])


def test_small_parts():
    first, second = np.array([1, 1, 2, 2]), np.array([0, 1, 1, 1])
    assert starts_of([first]).tolist() == [0, 2]
    assert starts_of([first, second]).tolist() == [0, 1, 2]
    assert keys_at([first, second], np.array([1, 3])).tolist() == [[1, 1], [2, 1]]
    everything = used_only(np.ones(4, bool), [first])
    assert everything[0] is first
    assert used_only(first == 1, [second])[0].tolist() == [0, 1]
    assert RunIndex(()).continuing() == []


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
