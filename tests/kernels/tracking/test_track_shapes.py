"""Lengths and turns of paths."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.tracking.track_points import TrackRules, tracks_of
from mfxarray.kernels.tracking.track_shapes import ShapeColumn, track_shapes
from tests.kernels.track_samples import NEVER, pieces, random_tracks


def shapes(xyz, tim=None, lag=1, rules=NEVER):
    xyz = np.asarray(xyz, float)
    tim = np.arange(float(len(xyz))) if tim is None else np.asarray(tim, float)
    return track_shapes(tracks_of(tim, xyz, np.array([0]), rules), lag)[0]


def test_a_square():
    found = shapes([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert found[ShapeColumn.PATH] == 4
    assert found[ShapeColumn.NET] == 0
    assert found[ShapeColumn.ANGLES] == 3
    assert found[ShapeColumn.COSINES] == pytest.approx(0)
    assert found[ShapeColumn.DURATION] == found[ShapeColumn.TIME] == 4


def test_there_and_back_and_steps_without_length():
    found = shapes([[0, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0]])
    assert found[ShapeColumn.ANGLES] == 1
    assert found[ShapeColumn.COSINES] == -1
    assert found[ShapeColumn.FORWARD] == 0
    wide = shapes([[0, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [4, 0, 0]], lag=2)
    assert wide[[ShapeColumn.ANGLES, ShapeColumn.COSINES, ShapeColumn.FORWARD]].tolist() == [
        1,
        1,
        1,
    ]


def test_no_turn_over_a_cut():
    found = shapes(np.arange(12.0).reshape(4, 3), tim=[0, 1, 10, 11], rules=TrackRules())
    assert found[ShapeColumn.SEGMENTS] == 2
    assert found[ShapeColumn.ANGLES] == 0
    assert found[ShapeColumn.TIME] == 2
    assert found[ShapeColumn.GAP] == 9


def test_against_numpy():
    tracks = random_tracks((30, 1, 2))
    found = track_shapes(tracks)
    ((time, place),) = pieces(tracks, 0)
    step = np.diff(place, axis=0)
    length = np.linalg.norm(step, axis=1)
    cosines = (step[1:] * step[:-1]).sum(axis=1) / (length[1:] * length[:-1])
    np.testing.assert_allclose(found[0, ShapeColumn.PATH], length.sum())
    np.testing.assert_allclose(found[0, ShapeColumn.COSINES], cosines.sum())
    assert found[0, ShapeColumn.FORWARD] == (cosines > 0).sum()
    gyration = np.sqrt(place.var(axis=0).sum())
    np.testing.assert_allclose(found[0, ShapeColumn.GYRATION], gyration)
    assert found[1, ShapeColumn.PATH] == found[1, ShapeColumn.GYRATION] == 0
    assert found[0, ShapeColumn.DURATION] == np.ptp(time)


def test_localization_error_alone_turns_back():
    tracks = random_tracks((20000,), diffusion=0.0)
    found = track_shapes(tracks)[0]
    assert found[ShapeColumn.COSINES] / found[ShapeColumn.ANGLES] < -0.35
