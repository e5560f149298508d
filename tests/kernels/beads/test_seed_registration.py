"""The seed's registration against its plain numpy form; the golden file is in tests/mims."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.beads.seed_registration import (
    seed_register,
    seed_settle,
    seed_shift,
    seed_spectra,
    seed_start,
)
from tests.kernels.beads.test_registration import drifting_stack


def plain(planes, padding):
    """Return the translations by complex transforms of the running sum, one frame at a time."""
    padded = np.pad(planes.astype(np.int64), [(0, 0), (padding, padding), (padding, padding)])
    total, shifts = padded[0].copy(), [(0, 0)]
    for frame in padded[1:]:
        product = np.fft.fft2(total) * np.fft.fft2(frame).conj()
        best = np.unravel_index(np.argmax(np.fft.ifft2(product).real), frame.shape)
        shift = [int(b) - s * (2 * b >= s) for b, s in zip(best, frame.shape, strict=True)]
        shifts.append(tuple(shift))
        total += np.roll(frame, shift, (0, 1))
    found = np.array(shifts)
    return found - np.median(found, axis=0).astype(int)


def found(planes, padding, blocks=1):
    padded, spectra, norms = seed_spectra(planes, padding)
    state, tables = seed_start(planes.shape[1:], padding), []
    cuts = np.array_split(np.arange(len(planes)), blocks)
    for part in cuts:
        state, table = seed_register(state, padded[part], spectra[part], norms[part])
        tables.append(table)
    return seed_settle(np.concatenate(tables))


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("size", [64, 65])
def test_equals_the_plain_form(padding, size):
    planes, _ = drifting_stack(3, size=size, frames=40, step=1.0, most=6)
    np.testing.assert_array_equal(found(planes, padding), plain(planes, padding))


@pytest.mark.parametrize("blocks", [2, 5, 40])
def test_blocks_change_nothing(blocks):
    planes, _ = drifting_stack(4, size=48, frames=40, step=1.0, mean=1.0)
    np.testing.assert_array_equal(found(planes, 8, blocks), found(planes, 8))


def test_ties_are_settled_in_exact_integers():
    planes = np.zeros((3, 16, 16), np.uint32)
    planes[:, ::4, ::4] = 1_000_000
    first = found(planes, 0)
    np.testing.assert_array_equal(first, found(planes, 0, blocks=3))


def test_shift_rolls_around():
    frames = np.arange(12, dtype="u4").reshape(1, 1, 3, 4)
    moved = seed_shift(frames, np.array([[1, -1]]), 0)
    np.testing.assert_array_equal(moved[0, 0], np.roll(frames[0, 0], (1, -1), (0, 1)))
    assert seed_shift(frames, np.array([[0, 0]]), 2).shape == (1, 1, 7, 8)


def test_the_median_is_cut_towards_zero():
    assert seed_settle(np.array([[0, 0], [-1, 3]])).tolist() == [[0, -1], [-1, 2]]
