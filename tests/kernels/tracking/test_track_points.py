"""Tracks cut out of traces."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.tracking.track_points import TrackRules, tracks_of


def made(tim, starts=(0,), rules=None, xyz=None):
    tim = np.asarray(tim, float)
    places = np.arange(3.0 * len(tim)).reshape(-1, 3) if xyz is None else xyz
    return tracks_of(tim, places, np.array(starts), rules or TrackRules())


def test_cut_where_the_time_is_more_than_so_many_of_the_shortest():
    tracks = made([0, 1, 2, 4.5, 7.001, 8.25, 100, 101, 104], starts=(0, 6))
    assert tracks.cut.tolist() == [True, False, False, False, True, False, True, False, True]
    assert made([0, 1, 50], rules=TrackRules(gap=np.inf)).cut.tolist() == [True, False, False]
    rules = TrackRules(gap=np.inf, gap_time=1.5)
    assert made([0, 1, 3, 4], rules=rules).cut.tolist() == [True, False, True, False]


def test_equal_times_are_no_shortest_step():
    assert made([0, 0, 1, 2, 3]).cut.tolist() == [True, False, False, False, False]
    assert made([5, 5, 5]).cut.tolist() == [True, False, False]


def test_points_are_in_the_order_of_time_each_in_its_trace():
    tracks = made([3, 1, 2, 9, 8], starts=(0, 3))
    assert tracks.tim.tolist() == [1, 2, 3, 8, 9]
    assert tracks.xyz[:, 0].tolist() == [3, 6, 0, 12, 9]
    assert tracks.bounds.tolist() == [0, 3, 5]


def test_rows_without_a_time_are_left_out():
    tracks = made([0, np.nan, 2, np.nan], starts=(0, 3))
    assert tracks.tim.tolist() == [0, 2]
    assert tracks.bounds.tolist() == [0, 2, 2]


@pytest.mark.parametrize(("trim", "kept"), [(0, 7), (1, 3), (2, 1), (3, 0)])
def test_ends_are_trimmed_by_rank_within_the_trace(trim, kept):
    tracks = made(np.arange(7.0), starts=(0, 5), rules=TrackRules(trim=trim))
    assert len(tracks.tim) == kept
    assert np.diff(tracks.bounds).tolist() == [max(5 - 2 * trim, 0), max(2 - 2 * trim, 0)]


def test_axes_that_count():
    xyz = np.array([[0.0, 1, 5], [1, 2, 5], [0, 1, 0], [0, 2, 1], [7, 7, 7]])
    tracks = made(np.arange(5.0), starts=(0, 2, 4), xyz=xyz)
    assert tracks.axes.tolist() == [[True, True, False], [False, True, True], [False] * 3]
    assert tracks.dimensions.tolist() == [2, 2, 0]
    told = made(np.arange(5.0), starts=(0, 2, 4), xyz=xyz, rules=TrackRules(2))
    assert told.axes.tolist() == [[True, True, False]] * 3


def test_nothing():
    tracks = tracks_of(np.empty(0), np.empty((0, 3)), np.empty(0, int), TrackRules(trim=1))
    assert len(tracks.axes) == len(tracks.tim) == 0
