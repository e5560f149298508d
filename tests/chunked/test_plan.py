"""Cuts of rows and frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.chunked.plan import common_rows, cut_frames, cut_rows, group_small
from mfxarray.errors import ChunkError


def test_cuts_lie_at_bounds():
    bounds = [0, 95, 210, 333, 480, 500]

    def near(row):
        return next((bound for bound in bounds if row <= bound <= row + 20), row)

    assert cut_rows(500, 10, 1000, near) == (100, 110, 100, 100, 90)


@given(st.integers(0, 5000), st.integers(1, 300), st.integers(1, 5000), st.integers(0, 50))
def test_chunks_cover_all_rows(n_rows, row_bytes, chunk_bytes, step):
    chunks = cut_rows(n_rows, row_bytes, chunk_bytes, lambda row: min(row + step, n_rows))
    assert sum(chunks) == n_rows
    assert all(chunks) or chunks == (0,)
    wished = max(chunk_bytes // row_bytes, 1)
    assert max(chunks) <= wished + wished // 4 + step


def test_a_bound_that_goes_back_still_moves_on():
    assert sum(cut_rows(100, 1, 10, lambda row: 0)) == 100


@given(st.integers(0, 400), st.integers(0, 1000), st.integers(1, 10_000))
def test_frames(n_frames, frame_bytes, chunk_bytes):
    chunks = cut_frames(n_frames, frame_bytes, chunk_bytes)
    assert sum(chunks) == n_frames
    assert len(set(chunks[:-1])) <= 1


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 100))
def test_groups_join_neighbours_in_order(sizes, least):
    groups = group_small(sizes, least)
    assert [index for start, stop in groups for index in range(start, stop)] == list(
        range(len(sizes))
    )
    assert all(sum(sizes[start:stop]) >= least for start, stop in groups[:-1])


def test_common_rows():
    assert common_rows([(3, 4), (3, 4)]) == (3, 4)
    with pytest.raises(ChunkError, match="unify_chunks"):
        common_rows([(3, 4), (4, 3)])
