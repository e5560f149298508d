"""How many windows there are, and when there are none."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.drift.points import Windows
from mfxarray.kernels.drift.summary import Summary
from mfxarray.minflux.drift.settings import PRESETS
from mfxarray.minflux.drift.windows import check_filled, choose_windows, fewer_windows, window_times


def summary(span, side=2e-6):
    places = (np.arange(int(side * 1e9)), np.ones(int(side * 1e9), np.int64))
    return Summary(int(side * 1e9), 10.0, 10.0 + span, (places, places, places))


def test_windows_cover_everything_but_in_the_seed():
    ours = choose_windows(summary(1050.0), PRESETS["default"], 100.0, lambda: 0)
    assert (ours.count, ours.closed) == (10, True)
    assert ours.stop == pytest.approx(1060.0)
    seed = choose_windows(summary(1090.0), PRESETS["seed"], 100.0, lambda: 0)
    assert (seed.count, seed.length, seed.closed) == (10, 100.0, False)


def test_the_rule_of_the_seed():
    # 1000 traces times (0.98 * 2 um)^2 over 3e-12 m^2 is 1280.5 s
    found = choose_windows(summary(20_000.0), PRESETS["seed"], None, lambda: 1000)
    assert found.length == pytest.approx(1280.5, rel=2e-3)
    many = choose_windows(summary(20_000.0), PRESETS["seed"], None, lambda: 50_000)
    assert many.length == 3600.0
    few = choose_windows(summary(20_000.0), PRESETS["paint21"], None, lambda: 10)
    assert few.length == 600.0
    # the shortest never leaves less than two windows
    brief = choose_windows(summary(700.0), PRESETS["seed"], None, lambda: 10)
    assert (brief.length, brief.count) == (350.0, 2)
    small = choose_windows(summary(20_000.0, 20e-9), PRESETS["seed"], None, lambda: 50_000)
    assert small.length == pytest.approx(50_000 * 200e-9**2 / 3e-12)


@pytest.mark.parametrize(("traces", "count"), [(100, 4), (5000, 25), (100_000, 40)])
def test_our_rule_goes_by_traces(traces, count):
    found = choose_windows(summary(9000.0), PRESETS["default"], None, lambda: traces)
    assert found.count == count


@pytest.mark.parametrize(
    ("span", "window", "message"),
    [
        (100.0, 80.0, "needs at least 2: give a window of at most 50 s"),
        (1e6, 1.0, "more than 2000"),
        (0.0, 1.0, "the same time"),
        (100.0, 0.0, "above 0"),
        (100.0, np.nan, "above 0"),
    ],
)
def test_too_few_or_too_many_are_refused(span, window, message):
    with pytest.raises(ValueError, match=message):
        choose_windows(summary(span), PRESETS["default"], window, lambda: 10)


def test_poor_windows_are_named():
    windows = Windows(0.0, 60.0, 3, True)
    check_filled(windows, np.array([10, 10, 10]))
    with pytest.raises(ValueError, match=r"2 of 3 .*0 \(0 s to 60 s: 9\), 2 \(120 s to 180 s: 0\)"):
        check_filled(windows, np.array([9, 10, 0]))


def test_mean_times():
    windows = Windows(5.0, 60.0, 2, True)
    content = np.array([[2, 40_000_000], [4, 10_000_000]])
    np.testing.assert_allclose(window_times(windows, content), [25.0, 67.5])


def test_fewer_windows_cover_the_same():
    windows, counts = Windows(5.0, 60.0, 10, True), []
    while windows is not None:
        assert windows.stop == pytest.approx(605.0)
        assert (windows.start, windows.closed) == (5.0, True)
        counts.append(windows.count)
        windows = fewer_windows(windows)
    assert counts == [10, 6, 4, 2]
