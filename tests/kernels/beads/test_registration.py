"""Translations against known ones: bright, dim, noise, steps, edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from mfxarray.kernels.beads.registration import (
    COLUMNS,
    GROUP,
    add_group,
    group_sizes,
    register_group,
    settle,
    start,
)
from mfxarray.kernels.correlation import Search
from mfxarray.kernels.matching import Field
from mfxarray.kernels.references import refine_frames

MARGIN = 40


def drifting_stack(seed, *, frames=20, size=96, mean=50.0, contrast=1.0, step=3.0, most=10):
    """Return planes and the translations that undo their drift."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(size + 2 * MARGIN,) * 2), 4)
    scene = np.exp(0.8 * contrast * field / field.std())
    scene *= mean / scene.mean()
    place, shifts = np.zeros(2), np.zeros((frames, 2), int)
    for frame in range(1, frames):
        place = np.clip(place + step * rng.normal(size=2), -most, most)
        shifts[frame] = np.rint(place)
    planes = [
        rng.poisson(scene[MARGIN + dy : MARGIN + dy + size, MARGIN + dx : MARGIN + dx + size])
        for dy, dx in shifts
    ]
    return np.stack(planes).astype(np.uint32), shifts


def register(planes, max_shift=24, refine=False, blocks=1):
    field = Field(Search(planes.shape[1:], max_shift))
    state, tables = start(planes.shape[1:]), []
    stops = np.cumsum(group_sizes(len(planes)))
    for group in np.split(planes, stops[:-1]):
        state, table = add_group(state, register_group(group, field), field)
        tables.append(table)
    places = np.concatenate(tables)
    if refine:
        parts = zip(np.array_split(planes, blocks), np.array_split(places, blocks), strict=True)
        found = [refine_frames(state, frames, where, field).table for frames, where in parts]
        places = np.concatenate(found)
    settled = settle(places)
    settled[:, :2] = np.rint(settled[:, :2] - settled[0, :2])
    return settled


def rms(table, shifts):
    return float(np.sqrt(((table[:, :2] - shifts) ** 2).mean()))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("refine", [False, True])
def test_bright_scene_is_exact(seed, refine):
    planes, shifts = drifting_stack(seed)
    table = register(planes, refine=refine)
    np.testing.assert_array_equal(table[:, :2], shifts)
    assert table[:, 3].all()


@pytest.mark.parametrize("seed", range(3))
def test_one_count_a_pixel_is_within_half_a_pixel(seed):
    planes, shifts = drifting_stack(seed, mean=1.0)
    assert rms(register(planes), shifts) < 0.25
    assert rms(register(planes, refine=True), shifts) < 0.25


@pytest.mark.parametrize("mean", [0.2, 1.0, 50.0])
def test_noise_moves_nothing(mean):
    planes, _ = drifting_stack(7, mean=mean, contrast=0.0)
    table = register(planes)
    assert not table[1:, 3].any()
    assert not table[:, :2].any()


def test_empty_planes_move_nothing():
    table = register(np.zeros((5, 32, 32), np.uint32), max_shift=8)
    assert not table[:, :2].any()
    assert not table[1:, 3].any()


def test_a_steady_drift_beyond_any_padding():
    rng = np.random.default_rng(0)
    field = np.exp(ndimage.gaussian_filter(rng.normal(size=(160, 160)), 4) * 12)
    planes = np.stack([rng.poisson(30 * field[i : i + 96, 20:116]) for i in range(20)])
    table = register(planes.astype("u4"))
    np.testing.assert_array_equal(table[:, 0], np.arange(20))
    assert not table[:, 1].any()


def test_a_frame_of_noise_is_not_confident_and_stays_where_the_last_one_was():
    planes, shifts = drifting_stack(4, frames=6, step=1.0, most=3)
    planes[3] = np.random.default_rng(0).poisson(50, planes[3].shape)
    table = register(planes)
    assert table[3, 3] == 0
    np.testing.assert_array_equal(table[3, :2], table[2, :2])
    np.testing.assert_array_equal(np.delete(table[:, :2], 3, 0), np.delete(shifts, 3, 0))


def test_a_whole_group_of_noise_stays_where_the_last_one_was():
    planes, shifts = drifting_stack(4, frames=3 * GROUP, step=1.0, most=8)
    planes[GROUP : 2 * GROUP] = np.random.default_rng(0).poisson(50, planes[:GROUP].shape)
    table = register(planes)
    assert not table[GROUP : 2 * GROUP, 3].any()
    assert (table[GROUP : 2 * GROUP, :2] == table[GROUP - 1, :2]).all()
    np.testing.assert_array_equal(table[:GROUP, :2], shifts[:GROUP])
    np.testing.assert_array_equal(table[2 * GROUP :, :2], shifts[2 * GROUP :])


def test_the_score_of_noise_is_that_of_a_normal_distribution():
    # of a frame that is not confident it is the score next to where it is held: that of 0 to a few
    # independent places, in standard deviations
    best = []
    for seed in range(10):
        planes, _ = drifting_stack(seed, frames=6, mean=20.0)
        planes[1:] = np.random.default_rng(seed).poisson(20, planes[1:].shape)
        best.extend(register(planes, max_shift=8)[1:, 2])
    assert -0.3 < np.mean(best) < 2.0
    assert 0.6 < np.std(best) < 1.6
    assert max(best) < Search((96, 96), 8).threshold


@pytest.mark.parametrize(
    ("frames", "sizes"),
    [
        (0, (0,)),
        (1, (1,)),
        (16, (16,)),
        (20, (20,)),
        (24, (16, 8)),
        (39, (16, 23)),
        (48, (16,) * 3),
    ],
)
def test_groups_are_counted_from_frame_0(frames, sizes):
    assert group_sizes(frames) == sizes


def test_many_groups_are_exact():
    planes, shifts = drifting_stack(9, frames=70, mean=5.0, step=1.0)
    np.testing.assert_array_equal(register(planes)[:, :2], shifts)


def test_scikit_image_agrees_on_bright_frames():
    planes, _ = drifting_stack(2, frames=4, step=2.0, most=4)
    table = register(planes)
    for plane, row in zip(planes[1:], table[1:], strict=True):
        shift, *_ = phase_cross_correlation(
            planes[0] - planes[0].mean(), plane - plane.mean(), normalization=None
        )
        assert np.abs(shift - row[:2]).max() <= 1


@pytest.mark.parametrize("blocks", [2, 3, 7, 20])
def test_blocks_give_the_same_bits(blocks):
    planes, _ = drifting_stack(5, mean=2.0)
    one, two = (register(planes, refine=True, blocks=count) for count in (blocks, 1))
    np.testing.assert_array_equal(one, two)


def test_the_state_is_not_changed():
    planes, _ = drifting_stack(6, frames=4)
    field = Field(Search(planes.shape[1:], 8))
    state, _ = add_group(start(planes.shape[1:]), register_group(planes[:2], field), field)
    before = state.total.copy(), state.cover.copy()
    first = add_group(state, register_group(planes[2:], field), field)[1]
    again = add_group(state, register_group(planes[2:], field), field)[1]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(state.total, before[0])
    np.testing.assert_array_equal(state.cover, before[1])


@pytest.mark.parametrize("mean", [0.3, 30.0])
def test_large_frames_are_as_exact(mean):
    # searched in blocks of 2 px, then settled in pixels
    planes, shifts = drifting_stack(3, frames=6, size=512, mean=mean)
    table = register(planes, max_shift=128)
    np.testing.assert_array_equal(table[:, :2], shifts)
    assert table[:, 3].all()


def test_every_pixel_of_the_field_of_a_group_is_seen():
    planes, shifts = drifting_stack(3, frames=10)
    group = register_group(planes, Field(Search(planes.shape[1:], 24)))
    assert group.cover.min() >= 1
    np.testing.assert_array_equal(group.table[:, :2], shifts)
    # translations count from the mean of the frames as they lie
    rest = group.table[:, 4:6] - group.table[:, :2]
    np.testing.assert_allclose(rest.mean(axis=0), 0, atol=1e-12)


def test_settle_fills_gaps_with_the_last():
    table = np.zeros((4, len(COLUMNS)))
    table[:, 4:] = [[2.0, 1, 9, 1], [7, 7, 1, 0], [3, 3, 9, 1], [8, 8, 1, 0]]
    assert settle(table)[:, :2].tolist() == [[2, 1], [2, 1], [3, 3], [3, 3]]


def test_one_and_two_frames():
    planes, shifts = drifting_stack(8, frames=2)
    np.testing.assert_array_equal(register(planes)[:, :2], shifts)
    assert register(planes[:1])[:, :2].tolist() == [[0, 0]]
