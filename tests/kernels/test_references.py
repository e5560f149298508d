"""Frames onto a given image, onto their neighbours, onto the mean of the others."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.beads.registration import start
from mfxarray.kernels.correlation import Search
from mfxarray.kernels.matching import Field
from mfxarray.kernels.references import (
    add_neighbours,
    add_placed,
    between_bins,
    fixed_reference,
    onto_reference,
    refine_frames,
    register_neighbours,
)
from tests.kernels.beads.test_registration import drifting_stack


@pytest.fixture(scope="module")
def drifting():
    planes, shifts = drifting_stack(1, frames=12, size=64, mean=30.0, step=2.0, most=8)
    return planes, shifts, Field(Search((64, 64), 20))


@pytest.mark.parametrize("number", [0, 7])
def test_onto_a_frame(drifting, number):
    planes, shifts, field = drifting
    placed = onto_reference(planes, fixed_reference(planes[number], field), field)
    np.testing.assert_array_equal(placed.table[:, :2], shifts - shifts[number])
    assert placed.table[:, 7].all()
    assert placed.cover.max() == 12
    np.testing.assert_allclose(placed.table[number, 4:6], 0, atol=0.03)


def test_frames_that_are_not_confident_are_no_part_of_the_sum(drifting):
    planes, _, field = drifting
    noisy = planes.copy()
    noisy[3] = np.random.default_rng(0).poisson(30, noisy[3].shape)
    placed = onto_reference(noisy, fixed_reference(planes[0], field), field)
    assert placed.table[3, 7] == 0
    assert placed.cover.max() == 11
    state, table = add_placed(start((64, 64)), placed)
    assert state.n_frames == 11
    refined = refine_frames(state, noisy, table, field)
    assert refined.table[:, 7].tolist() == placed.table[:, 7].tolist()


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_neighbours_add_up_over_groups(drifting, cut):
    planes, shifts, field = drifting
    first = register_neighbours(planes[:cut], True, field)
    second = register_neighbours(planes[cut - 1 :], False, field)
    state, table = add_neighbours(start((64, 64)), first)
    state, more = add_neighbours(state, second)
    found = np.concatenate([table, more])
    np.testing.assert_array_equal(np.rint(found[:, 4:6]), shifts)
    whole = register_neighbours(planes, True, field)
    np.testing.assert_allclose(found[:, 4:6], whole.table[:, 4:6], atol=1e-12)
    assert state.n_frames == 12
    assert np.abs(found[:, :2] + found[:, 2:4] - shifts).max() <= 1


def test_small_steps_are_not_rounded_away():
    # 0.4 px a frame: whole steps would all be 0
    from scipy import ndimage

    rng = np.random.default_rng(5)
    fine = ndimage.gaussian_filter(rng.normal(size=(500, 340)), 12)
    rates = 200 * np.exp(fine / fine.std())
    planes = np.stack(
        [
            rng.poisson(rates[2 * i : 2 * i + 320, :320].reshape(64, 5, 64, 5).mean((1, 3)))
            for i in range(20)
        ]
    )
    group = register_neighbours(planes.astype("u4"), True, Field(Search((64, 64), 16)))
    np.testing.assert_allclose(group.table[:, 4], 0.4 * np.arange(20), atol=0.15)


def test_refining_finds_what_was_put_wrongly(drifting):
    planes, shifts, field = drifting
    placed = onto_reference(planes, fixed_reference(planes[0], field), field)
    state, table = add_placed(start((64, 64)), placed)
    found = refine_frames(state, planes, table, field).table
    np.testing.assert_array_equal(np.rint(found[:, 4:6] - found[0, 4:6]), shifts)
    assert (found[1:, 6] > placed.table[1:, 6]).all()


def test_one_frame_has_no_others(drifting):
    planes, _, field = drifting
    placed = onto_reference(planes[:1], fixed_reference(planes[0], field), field)
    state, table = add_placed(start((64, 64)), placed)
    np.testing.assert_array_equal(refine_frames(state, planes[:1], table, field).table, table)


def test_between_bins_is_interpolated_and_held_outside():
    table = np.array([[0.0, 1, 9, 1], [4, 1, 8, 1], [8, 3, 7, 0]])
    rows = between_bins(table, 4, 11)
    # middles at 1.5, 5.5 and 9; the last bin has three frames
    np.testing.assert_allclose(rows[[0, 1, 2, 5, 6, 9, 10], 0], [0, 0, 0.5, 3.5, 32 / 7, 8, 8])
    assert rows[:, 2].tolist() == [9] * 4 + [8] * 4 + [7] * 3
    assert rows[:, 3].tolist() == [1] * 8 + [0] * 3
    assert between_bins(table, 1, 3) is table
