"""Formulas of corrections: published vectors, and slopes against differences."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels import counting
from mfxarray.kernels.counting import BACKGROUND, DEAD_TIME, EFFICIENCY, QSA, Step, correct_block

TAU = 44e-9


def corrected(counts, *steps, variance=None):
    """Return counts of one detector and their variance."""
    counts = np.atleast_1d(counts)
    return correct_block(
        counts[None], variance if variance is None else variance[None], [0], steps=steps, axis=0
    )[:, 0]


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [(3e4, 30_039.652), (1e5, 100_441.945), (3e5, 304_012.971), (1e6, 1_046_025.105)],
)
def test_dead_time(rate, wanted):
    value = corrected(rate, Step(DEAD_TIME, (TAU,)))[0, 0]
    assert value == pytest.approx(wanted, abs=5e-4)
    assert value == pytest.approx(rate / (1 - rate * TAU), rel=1e-12)


def test_dead_time_has_a_limit():
    found = corrected(np.array([0.0, 0.99 / TAU, 1 / TAU, 2 / TAU]), Step(DEAD_TIME, (TAU,)))
    np.testing.assert_array_equal(np.isnan(found), [[False, False, True, True]] * 2)


@pytest.mark.parametrize(("beta", "factor"), [(0.5, 1.00402), (0.66, 1.00531), (1.0, 1.00804)])
def test_qsa(beta, factor):
    primaries = 2 * counting.CAESIUM_PER_PA
    value = corrected(1e5, Step(QSA, (primaries,), (beta,)))[0, 0]
    share = 1e5 / primaries
    assert share == pytest.approx(0.00801, abs=5e-6)
    true_share = share / (1 - share / 2)
    assert true_share == pytest.approx(0.00804, abs=5e-6)
    assert value / 1e5 == pytest.approx(factor, abs=5e-6)
    assert value == pytest.approx(1e5 * (1 + beta * true_share), rel=1e-12)


def test_qsa_has_a_limit():
    found = corrected(np.array([1.0, 2.0, 9.0]), Step(QSA, (1.0,), (1.0,)))
    np.testing.assert_array_equal(np.isnan(found), [[False, True, True]] * 2)


STEPS = [
    Step(BACKGROUND, (3.0,)),
    Step(DEAD_TIME, (1e-3,)),
    Step(EFFICIENCY, (0.7,)),
    Step(QSA, (5e3,), (0.66,)),
]


@pytest.mark.parametrize("steps", [[step] for step in STEPS] + [STEPS, STEPS[::-1]])
def test_slopes_are_those_of_the_values(steps):
    counts, step = np.linspace(5, 400, 40), 1e-3
    above, below = corrected(counts + step, *steps)[0], corrected(counts - step, *steps)[0]
    slope = (above - below) / (2 * step)
    np.testing.assert_allclose(corrected(counts, *steps)[1], counts * slope**2, rtol=1e-7)
    known = corrected(counts, *steps, variance=np.full(40, 2.0))[1]
    np.testing.assert_allclose(known, 2 * slope**2, rtol=1e-7)


def test_steps_in_one_pass_are_the_steps_one_by_one():
    counts = np.random.default_rng(0).integers(0, 300, 10_000).astype(np.uint32)
    value, variance = corrected(counts, STEPS[0])
    for step in STEPS[1:]:
        value, variance = corrected(value, step, variance=variance)
    np.testing.assert_array_equal(corrected(counts, *STEPS), [value, variance])


def test_integers_become_floats():
    counts = np.array([3, 2**32 - 1], np.uint32)
    value, variance = corrected(counts, Step(BACKGROUND, (5.0,)))
    np.testing.assert_array_equal(value, [-2.0, 2.0**32 - 6])
    np.testing.assert_array_equal(variance, counts)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_detector_has_its_value(axis):
    counts = np.moveaxis(np.full((3, 4, 5), 60, np.uint16), 0, axis)
    step = Step(EFFICIENCY, (9.0, 0.5, 0.25, 1.0))
    found = correct_block(counts, None, np.array([1, 2, 3]), steps=[step], axis=axis)
    values = np.moveaxis(found[0], axis, 0)
    np.testing.assert_array_equal(values[:, 0, 0], [120, 240, 60])
    assert (values == values[:, :1, :1]).all()
