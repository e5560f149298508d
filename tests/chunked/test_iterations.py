"""Repeated iterations and sums against plain loops."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked.iterations import (
    repeated_iterations,
    sum_chosen,
    sum_last,
    sum_repeated,
)
from mfxarray.errors import ChunkError, DataError
from mfxarray.testing import raise_if_computes


def positions(executed):
    found = np.zeros((*np.shape(executed), 3))
    found[~np.asarray(executed, bool)] = np.nan
    return found


def plain_repeated(executed, valid, tid):
    """Return what the rule says, row by row; None where no row tells."""
    repeated, told = np.zeros(executed.shape[1], bool), False
    for row in range(1, len(executed)):
        usable = all(valid[r] and executed[r, -1] for r in (row - 1, row))
        if usable and tid[row] == tid[row - 1]:
            repeated, told = repeated | executed[row], True
    return repeated if told else None


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 30))
    count = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    executed = rng.random((rows, count)) < draw(st.sampled_from([0.3, 0.7, 0.95]))
    tid = np.cumsum(rng.random(rows) < 0.3)
    valid = rng.random(rows) < 0.9
    # counts where nothing was executed: they must not be seen
    counts = rng.integers(-5, 1000, (rows, count)).astype(draw(st.sampled_from(["i4", "u4"])))
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=6)))
    chunks = tuple(int(size) for size in np.diff([0, *cuts, rows]))
    return executed, valid, tid, counts, chunks


@given(tables())
@settings(max_examples=60, deadline=None)
def test_equals_a_loop_for_every_chunking(table):
    executed, valid, tid, counts, chunks = table
    rows = executed.shape[1]
    position = da.from_array(positions(executed), chunks=(chunks, rows, 3))
    eco = da.from_array(counts, chunks=(chunks, rows))
    keys = [da.from_array(tid, chunks=(chunks,))]
    mask = da.from_array(valid, chunks=(chunks,))
    wanted = plain_repeated(executed, valid, tid)
    with raise_if_computes():
        repeated = repeated_iterations(position, mask, keys)
        summed = sum_repeated(eco, position, mask, keys)
    assert repeated.shape == (rows,)
    if wanted is None:
        with pytest.raises(DataError, match="no trace has two complete"):
            repeated.compute(scheduler="sync")
    else:
        np.testing.assert_array_equal(repeated.compute(scheduler="sync"), wanted)
        found = summed.compute(scheduler="sync")
        assert found.dtype == np.int64
        plain = np.where(executed & wanted, counts, 0).astype(np.int64).sum(axis=1)
        np.testing.assert_array_equal(found, plain)
    last = sum_last(eco, position).compute(scheduler="sync")
    plain = [
        int(row[np.flatnonzero(done)[-1]]) if done.any() else 0
        for row, done in zip(counts, executed, strict=True)
    ]
    assert last.dtype == np.int64
    np.testing.assert_array_equal(last, plain)


def test_chosen_iterations():
    executed = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 0]], bool)
    counts = np.array([[1, 2, 4], [8, 16, 32], [64, 128, 256]], "u4")
    eco, position = da.from_array(counts, chunks=(2, 3)), da.from_array(positions(executed))
    position = position.rechunk((2, 3, 3))
    found = sum_chosen(eco, position, [True, False, True])
    assert found.compute().tolist() == [5, 32, 64]
    assert sum_chosen(eco, position, [False] * 3).compute().tolist() == [0, 0, 0]


def test_a_position_known_in_part_was_not_measured():
    position = positions([[1, 1]])
    position[0, 1, 2] = np.nan
    eco = da.from_array(np.array([[3, 5]]))
    assert sum_last(eco, da.from_array(position)).compute().tolist() == [3]
    position[0, 1, 2] = np.inf
    assert sum_last(eco, da.from_array(position)).compute().tolist() == [3]


def test_sums_do_not_overflow():
    big = np.full((1, 4), 2**31 - 1, "i4")
    found = sum_chosen(da.from_array(big), da.from_array(positions(np.ones((1, 4)))), [True] * 4)
    assert found.compute().tolist() == [4 * (2**31 - 1)]


def test_a_new_start_after_an_aborted_localization_tells_nothing():
    executed = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 0, 1]], bool)
    position, tid = da.from_array(positions(executed)), da.from_array(np.zeros(4, int))
    assert repeated_iterations(position, None, [tid]).compute().tolist() == [False, False, True]


def test_several_keys_name_a_trace():
    executed = np.array([[1, 1], [1, 1], [0, 1]], bool)
    position = da.from_array(positions(executed))
    tid, wash = da.from_array(np.array([7, 7, 7])), da.from_array(np.array([0, 1, 1]))
    assert repeated_iterations(position, None, [tid]).compute().tolist() == [True, True]
    assert repeated_iterations(position, None, [wash, tid]).compute().tolist() == [False, True]


def test_no_rows_at_all():
    position = da.zeros((0, 3, 3), chunks=(0, 3, 3))
    tid = da.zeros(0, chunks=0, dtype=int)
    assert repeated_iterations(position, None, [tid]).compute().tolist() == [False] * 3
    eco = da.zeros((0, 3), chunks=(0, 3), dtype="i4")
    assert sum_repeated(eco, position, None, [tid]).compute().shape == (0,)
    assert sum_last(eco, position).compute().shape == (0,)


def test_unequal_chunks_are_refused():
    position = da.zeros((4, 2, 3), chunks=(2, 2, 3))
    with pytest.raises(ChunkError):
        repeated_iterations(position, None, [da.zeros(4, chunks=4, dtype=int)])
    with pytest.raises(ChunkError):
        sum_last(da.zeros((4, 2), chunks=(4, 2), dtype=int), position)


def test_the_second_pass_reads_again():
    """Blocks kept until all are seen would be the whole file in memory."""
    reads = []

    def read(block):
        reads.append(len(block))
        return block

    position = da.zeros((12, 2, 3), chunks=(3, 2, 3)).map_blocks(read, meta=np.empty((0, 0, 0)))
    eco = position[..., 0].astype("i4")
    tid = da.zeros(12, chunks=3, dtype=int)
    sum_repeated(eco, position, None, [tid]).compute(scheduler="sync", optimize_graph=False)
    assert reads == [3] * 8
