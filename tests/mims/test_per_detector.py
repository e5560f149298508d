"""Values of detectors: from the header, by name, in order; wrong ones refused."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.mims.per_detector import detector_values, dwell_seconds
from tests.mims.counted_samples import ion_stack

TIMES = [44.0, 36.0, 60.0, 44.5, None]


def values(counts, given="header", neutral=0.0):
    return detector_values(counts, given, "dead_time_ns", neutral=neutral)


def test_from_the_header():
    counts = ion_stack(dead_time_ns=TIMES)
    np.testing.assert_array_equal(values(counts), [44, 36, 60, 44.5, 0])
    np.testing.assert_array_equal(values(counts, neutral=9), [44, 36, 60, 44.5, 9])


def test_given():
    counts = ion_stack(dead_time_ns=TIMES)
    np.testing.assert_array_equal(values(counts, 50), [50, 50, 50, 50, 0])
    np.testing.assert_array_equal(values(counts, [1, 2, 3, 4, None]), [1, 2, 3, 4, 0])
    np.testing.assert_array_equal(values(counts, np.arange(5.0)), [0, 1, 2, 3, 0])
    np.testing.assert_array_equal(values(counts, {"13C": 70}), [44, 70, 60, 44.5, 0])


def test_a_coordinate_follows_a_selection():
    counts = ion_stack().assign_coords(dead_time_ns=("detector", [44.0, 36.0, 60.0, 44.5, np.nan]))
    few = counts.sel(detector=["12C 15N", "13C"])
    np.testing.assert_array_equal(values(few), [44.5, 36])


def test_names_beside_the_list_follow_a_selection():
    counts = ion_stack(dead_time_ns=TIMES, detectors=list(ion_stack()["detector"].values))
    few = counts.sel(detector=["12C 15N", "13C"])
    np.testing.assert_array_equal(values(few), [44.5, 36])


def test_a_list_that_no_longer_fits_is_not_guessed_at():
    few = ion_stack(dead_time_ns=TIMES).sel(detector=["12C 15N", "13C"])
    with pytest.raises(ValueError, match="no dead_time_ns is known for detector '12C 15N'"):
        values(few)
    np.testing.assert_array_equal(values(few, {"12C 15N": 1, "13C": 2}), [1, 2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("file", "'header' or values"),
        ({"14N": 3}, "no detector '14N'"),
        ([1, 2], "2 values of dead_time_ns for 5 detectors"),
        ([1, None, 2, 3, 4], "for detector '13C'"),
        (-1, "must not be -1"),
        (float("nan"), "must not be nan"),
    ],
)
def test_wrong_values(given, message):
    with pytest.raises(ValueError, match=message):
        values(ion_stack(), given)


def test_dwell():
    counts = ion_stack(dwell_time_s=0.002)
    np.testing.assert_array_equal(dwell_seconds(counts), [0.002] * 4 + [1.0])
    np.testing.assert_array_equal(
        dwell_seconds(counts, {"12C": 0.5, "13C": 1, "12C 14N": 1, "12C 15N": 1})[0], 0.5
    )
    with pytest.raises(ValueError, match="more than 0 s"):
        dwell_seconds(counts, 0)
    with pytest.raises(ValueError, match="no dwell_time_s"):
        dwell_seconds(ion_stack(dwell_time_s=None))
