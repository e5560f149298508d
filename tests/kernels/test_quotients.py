"""Values, errors and intervals of quotients: published vectors, limits, corrected counts."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.poisson import fraction_interval
from mfxarray.kernels.quotients import (
    FRACTION,
    RATIO,
    delta_from,
    effective_counts,
    interval,
    turnover_between,
    value_and_error,
)

QUANTITIES = [RATIO, FRACTION, delta_from(0.0112372), turnover_between(0.0037, 0.013)]
ENDS = {"least": 0, "confidence": 0.95, "method": "blaker"}


def value(quantity, above, below, *variances, least=0):
    arrays = [np.asarray(array, float) for array in (above, below, *variances)]
    return value_and_error(*arrays, quantity=quantity, least=least)


def test_the_error_of_a_ratio():
    found, error = value(RATIO, 100, 1e4)
    assert error / found == pytest.approx(0.100499, abs=5e-7)
    assert error / found == pytest.approx(np.sqrt(1 / 100 + 1 / 1e4), rel=1e-12)
    found, error = value(RATIO, 10, 90)
    assert error / found == pytest.approx(np.sqrt(1 / 10 + 1 / 90), rel=1e-12)


def test_the_error_of_a_fraction():
    found, error = value(FRACTION, 100, 100)
    assert error / found == pytest.approx(0.070711, abs=5e-7)
    assert error / found == pytest.approx(0.5 * np.sqrt(2 / 100), rel=1e-12)


@pytest.mark.parametrize(("standard", "wanted"), [(0.0112372, -12.21), (0.011180, -7.16)])
def test_delta(standard, wanted):
    found, error = value(delta_from(standard), 111, 10_000)
    assert found == pytest.approx(wanted, abs=5e-3)
    assert found == pytest.approx(1000 * (0.0111 / standard - 1), rel=1e-12)
    relative = np.sqrt(1 / 111 + 1 / 10_000)
    assert error == pytest.approx(1000 * 0.0111 / standard * relative, rel=1e-12)


def test_turnover():
    found, _ = value(turnover_between(0.0037, 0.0130), 84, 10_000)
    wanted = 100 * ((0.0084 - 0.0037) / (0.0130 - 0.0037)) * ((1 + 0.0130) / (1 + 0.0084))
    assert found == pytest.approx(wanted, rel=1e-12)
    ends = [value(turnover_between(0.25, 0.75), *pair)[0] for pair in ((25, 100), (75, 100))]
    assert ends == pytest.approx([0, 100])


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_errors_are_those_of_small_steps(quantity):
    above, below, step = 400.0, 2500.0, 1e-3
    slopes = [
        (quantity.of(np.array(up)) - quantity.of(np.array(down))) / (2 * step)
        for up, down in (
            ((above + step) / below, (above - step) / below),
            (above / (below + step), above / (below - step)),
        )
    ]
    wanted = np.sqrt(slopes[0] ** 2 * above + slopes[1] ** 2 * below)
    assert value(quantity, above, below)[1] == pytest.approx(wanted, rel=1e-7)


def test_nothing_is_claimed_where_nothing_was_counted():
    found, error = value(RATIO, [0, 5, 0], [50, 0, 0])
    np.testing.assert_array_equal(found, [0, np.nan, np.nan])
    np.testing.assert_array_equal(error, [np.nan] * 3)
    np.testing.assert_array_equal(value(FRACTION, [5, 0], [0, 5])[0], [1, 0])
    low, high = interval(np.array([0.0, 5, 0]), np.array([50.0, 0, 0]), quantity=RATIO, **ENDS)
    np.testing.assert_array_equal(low[[0, 2]], 0)
    assert low[1] > 0
    assert 0 < high[0] < 0.1
    np.testing.assert_array_equal(high[1:], np.inf)


def test_too_few_counts_are_masked_by_their_sum():
    found, error = value(RATIO, [4, 5, 0], [5, 5, 10], least=10)
    np.testing.assert_array_equal(np.isnan(found), [True, False, False])
    np.testing.assert_array_equal(np.isnan(error), [True, False, True])
    options = {**ENDS, "least": 10}
    ends = interval(np.array([4.0, 5]), np.array([5.0, 5]), quantity=RATIO, **options)
    np.testing.assert_array_equal(np.isnan(ends), [[True, False]] * 2)


@pytest.mark.parametrize("quantity", [*QUANTITIES, turnover_between(0.013, 0.0037)])
def test_ends_are_ordered_and_monotone(quantity):
    above = np.arange(0.0, 80)
    ends = interval(above, np.full(80, 500.0), quantity=quantity, **ENDS)
    assert (ends[0] < ends[1]).all()
    steps = np.diff(ends, axis=1)
    assert (steps < 0).all() if quantity.falls else (steps > 0).all()


def test_a_yield_scales_the_interval_exactly():
    above, below = np.array([7.0, 300]), np.array([90.0, 20])
    raw = interval(above, below, quantity=RATIO, **ENDS)
    scaled = interval(
        above / 0.5, below / 0.8, above / 0.5**2, below / 0.8**2, quantity=RATIO, **ENDS
    )
    np.testing.assert_allclose(scaled, raw * 0.8 / 0.5, rtol=1e-9)


def test_raw_counts_and_their_variances_agree():
    above, below = np.array([3.0, 70, 1000]), np.array([9.0, 1, 12])
    for function in (interval, value_and_error):
        short = function(above, below, quantity=FRACTION, **ENDS)
        full = function(above, below, above, below, quantity=FRACTION, **ENDS)
        np.testing.assert_allclose(full, short, rtol=1e-12)


def test_the_interval_of_a_ratio_is_that_of_the_fraction():
    low, high = interval(np.array(12.0), np.array(30.0), quantity=RATIO, **ENDS)
    ends = fraction_interval(12, 30)
    np.testing.assert_allclose((low, high), [end / (1 - end) for end in ends], rtol=1e-12)
    np.testing.assert_allclose(
        interval(np.array(12.0), np.array(30.0), quantity=FRACTION, **ENDS), ends, rtol=1e-12
    )


def test_effective_counts():
    values, variance = np.array([10.0, 0, 6, -2]), np.array([20.0, 0, 9, 4])
    with np.errstate(invalid="ignore"):
        found = effective_counts(values, variance)
    np.testing.assert_array_equal(found, [5, 0, 4, 1])
    assert effective_counts(values) is values


def test_negative_counts_have_no_interval():
    arrays = (np.array([-3.0]), np.array([50.0]), np.array([6.0]), np.array([50.0]))
    assert np.isnan(interval(*arrays, quantity=RATIO, **ENDS)).all()
    assert value_and_error(*arrays, quantity=RATIO, least=0)[0] == -0.06
