"""Totals of frames: the running median in plain form, verdicts against scipy's tails."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mfxarray.kernels.frame_totals import DEAD, FINE, HIGH, LOW, expected_totals, judge_totals

RULE = {"window": 11, "limit": 0.3, "false_positives": 1e-4}


def judge(totals, **options):
    rule = {**RULE, **options}
    return judge_totals(totals, expected_totals(totals, rule["window"]), **rule)


@pytest.mark.parametrize("frames", [3, 4, 5, 12, 30])
@pytest.mark.parametrize("window", [3, 5, 11])
def test_running_median_and_lines_at_the_ends(frames, window):
    totals = np.random.default_rng(frames).poisson(1000, (frames, 2))
    found = expected_totals(totals, window)
    size = min(window, frames)
    for frame in range(frames):
        start = min(max(frame - size // 2, 0), frames - size)
        part = totals[start : start + size]
        wanted = np.median(part, axis=0)
        if size >= 5 and frame - start != size // 2:
            wanted = [one_line(column, frame - start) for column in part.T]
        np.testing.assert_allclose(found[frame], wanted, rtol=1e-12)


def one_line(values, place):
    places = np.arange(len(values))
    slope = stats.theilslopes(values, places)[0]
    return np.median(values + slope * (place - places))


def test_two_frames_say_nothing_but_that_one_is_dead():
    totals = np.array([[100, 0], [0, 0]])
    assert np.isnan(expected_totals(totals, 11)).all()
    assert judge(totals).tolist() == [[FINE, FINE], [DEAD, DEAD]]
    assert judge(np.array([[5, 900]])).tolist() == [[FINE, FINE]]


def test_verdicts():
    totals = np.random.default_rng(0).poisson([50_000, 4000, 3], (40, 3))
    totals[4] = 0
    totals[10, 0] = 20_000
    totals[20, 1] = 6000
    totals[30, 1] = 0
    wanted = np.zeros((40, 3), int)
    wanted[4] = DEAD
    wanted[10, 0] = LOW
    wanted[20, 1] = HIGH
    wanted[30, 1] = DEAD
    np.testing.assert_array_equal(judge(totals), wanted)


def test_nothing_where_three_were_expected_is_no_sign():
    totals = np.array([[0, 900], [3, 900], [3, 905], [4, 890], [2, 880]])
    assert judge(totals).max() == FINE


def test_a_slow_decay_is_no_fault():
    totals = np.rint(1e5 * np.exp(-np.arange(100) / 15))[:, None].astype(int)
    assert not judge(totals).any()


def test_what_scatters_more_is_judged_more_gently():
    rng = np.random.default_rng(1)
    steady = rng.poisson(10_000, (200, 1))
    rough = np.rint(10_000 * rng.lognormal(0, 0.25, (200, 1))).astype(int)
    steady[100] = rough[100] = 15_000
    assert judge(steady)[100] == HIGH
    assert judge(rough)[100] == FINE
    assert judge(rough).mean() < 0.01


def test_a_deviation_below_the_limit_is_fine_however_sure():
    totals = np.full((20, 1), 10**9)
    totals[7] = int(0.71e9)
    assert judge(totals).max() == FINE
    totals[7] = int(0.69e9)
    assert judge(totals)[7] == LOW


@pytest.mark.parametrize("rate", [0.5, 5, 50, 5000])
@pytest.mark.parametrize("frames", [3, 8, 40])
def test_false_positives(rate, frames):
    totals = np.random.default_rng(5).poisson(rate, (200, frames, 5))
    asked = 0.01
    rates = [(judge(stack, limit=0.0, false_positives=asked) > DEAD).mean() for stack in totals]
    assert np.mean(rates) <= asked
    if rate > 1000 and frames > 8:
        assert np.mean(rates) > 0.2 * asked


def test_the_tails_are_scipys():
    totals = np.full((11, 1), 400)
    rule = {"window": 11, "limit": 0.0}
    expected = np.full((11, 1), 400.0)

    def verdict(count, asked):
        totals[5] = count
        return judge_totals(totals, expected, false_positives=asked, **rule)[5]

    share = 1 + np.pi / 2 / 11
    for count, mean, off in ((500, 400 + np.log(2), HIGH), (310, 400 - 1 / 3, LOW)):
        tail = stats.nbinom(mean / (share - 1), 1 / share)
        chance = tail.sf(count - 1) if off == HIGH else tail.cdf(count)
        assert verdict(count, 2.01 * chance) == off
        assert verdict(count, 1.99 * chance) == FINE
