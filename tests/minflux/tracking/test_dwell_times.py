"""Times of traces and between them."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.minflux.tracking.tracking import dead_times, dwell_times
from mfxarray.testing import assert_chunk_invariant
from tests.samples import localizations_of


def events(starts, ends, **columns):
    """Return two localizations a trace, at its start and its end."""
    tim = np.column_stack([starts, ends]).ravel()
    tid = np.repeat(np.arange(len(starts)), 2)
    more = {name: np.repeat(values, 2) for name, values in columns.items()}
    return localizations_of(np.zeros((len(tim), 3)), tim=tim, tid=tid, **more).chunk()


def random_events(count, dwell=0.5, dead=2.0, seed=0):
    rng = np.random.default_rng(seed)
    on, off = rng.exponential(dwell, count), rng.exponential(dead, count)
    starts = np.cumsum(off + np.append(0, on[:-1]))
    return events(starts, starts + on)


def test_the_exponential_law():
    data = random_events(4000)
    dwell, dead = dwell_times(data), dead_times(data)
    for found, truth in ((dwell, 0.5), (dead, 2.0)):
        mean = float(found["mean"])
        assert abs(mean - truth) < 3.5 * float(found["mean_error"])
        assert float(found["mean_error"]) == pytest.approx(truth / np.sqrt(4000), rel=0.05)
        assert float(found["median"]) == pytest.approx(truth * np.log(2), rel=0.1)
    assert int(dwell["n_censored"]) == 1
    assert int(dead["events"]) == 3999
    assert float(dead["event_rate"]) == pytest.approx(1 / 2.5, rel=0.05)


def test_intervals_cover():
    inside = 0
    for seed in range(120):
        found = dwell_times(random_events(12, seed=seed), recording_end=1e9)
        inside += float(found["mean_low"]) < 0.5 < float(found["mean_high"])
    assert abs(inside / 120 - 0.95) < 0.05


def test_what_is_too_short_to_be_seen():
    data = random_events(6000, seed=2)
    seen = dwell_times(data)["dwell_time"].values > 0.2
    kept = data.isel(localization=np.repeat(seen, 2)).chunk()
    assert float(dwell_times(kept)["mean"]) > 0.6
    found = dwell_times(kept, shortest=0.2)
    assert abs(float(found["mean"]) - 0.5) < 3.5 * float(found["mean_error"])
    assert int(found["n_fitted"]) == seen.sum()


def test_censored_times():
    rng = np.random.default_rng(3)
    on = rng.exponential(1.0, 5000)
    starts = np.arange(5000) * 1e-6
    cut = np.minimum(starts + on, 0.7)
    found = dwell_times(events(starts, cut), recording_end=0.7)
    assert int(found["n_censored"]) == (cut >= 0.7).sum()
    assert abs(float(found["mean"]) - 1.0) < 3.5 * float(found["mean_error"])
    near = dwell_times(events(starts, cut), recording_end=0.7, tolerance=0.1)
    assert int(near["n_censored"]) == (cut >= 0.6).sum()


def test_gaps_follow_time_not_ids():
    data = events([5.0, 0.0, 2.0], [6.0, 1.0, 4.0])
    np.testing.assert_array_equal(dead_times(data)["dead_time"], [np.nan, 1.0, 1.0])


def test_overlaps_washes_and_first_gaps():
    overlap = events([0.0, 1.0, 5.0], [2.0, 3.0, 6.0])
    found = dead_times(overlap)
    np.testing.assert_array_equal(found["dead_time"], [np.nan, 2.0, np.nan])
    washes = events([0.0, 1.0, 0.0, 7.0], [0.5, 2.0, 1.0, 8.0], wash=np.array([0, 0, 1, 1]))
    found = dead_times(washes)
    np.testing.assert_array_equal(found["dead_time"], [0.5, np.nan, 6.0, np.nan])
    assert float(found["event_rate"]) == 4 / (2.0 + 8.0)
    assert set(found.coords) == {"tid", "wash"}
    dwell = dwell_times(washes)
    assert dwell["censored"].values.tolist() == [False, True, False, True]
    many = events([0.0, 2.0, 5.0, 9.0], [1.0, 3.0, 6.0, 10.0])
    assert float(dead_times(many, first=2)["mean"]) == 1.5
    last = dead_times(many, recording_end=14.0)
    assert float(last["mean"]) == (1 + 2 + 3 + 4) / 3
    assert int(last["n_censored"]) == 1


def test_single_localizations_last_0():
    data = localizations_of(np.zeros((3, 3)))
    found = dwell_times(data.chunk())
    assert found["dwell_time"].values.tolist() == [0, 0, 0]
    assert np.isnan(found["mean"])
    assert found["dwell_time"].attrs["units"] == "s"


def test_the_same_for_every_chunking_and_without_traces():
    data = random_events(50)
    assert_chunk_invariant(dwell_times, [data, data.chunk(localization=3)])
    assert_chunk_invariant(dead_times, [data, data.chunk(localization=3)])
    with pytest.raises(DataError, match="no trace"):
        dwell_times(data.assign(vld=("localization", np.zeros(100, bool))))


def test_parameters_out_of_range():
    data = random_events(3)
    with pytest.raises(ValueError, match="must"):
        dwell_times(data, shortest=-1.0)
    with pytest.raises(ValueError, match="must"):
        dead_times(data, first=0)
