"""Medians of runs against numpy's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mfxarray.kernels.traces.medians import _SIZES, _middle_network, run_medians


def one_by_one(values, starts):
    found = []
    for part in np.split(np.asarray(values, float), starts[1:]):
        kept = part[~np.isnan(part)]
        found.append(np.median(kept) if len(kept) else np.nan)
    return np.array(found)


@pytest.mark.parametrize("longest", [1, 5, 12, 13, 40, 400])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_equals_numpy(longest, dtype):
    rng = np.random.default_rng(longest)
    lengths = rng.integers(1, longest + 1, 50)
    values = (rng.normal(size=lengths.sum()) * 1e3).astype(dtype)
    if dtype != "i4":
        values[rng.random(len(values)) < 0.2] = np.nan
    starts = np.cumsum(lengths) - lengths
    before = values.copy()
    np.testing.assert_array_equal(run_medians(values, starts), one_by_one(values, starts))
    np.testing.assert_array_equal(values, before)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(float, st.integers(1, 60), elements=st.floats(allow_nan=True)))
def test_any_numbers_in_one_run(values):
    starts = np.zeros(1, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = one_by_one(values, starts)
    np.testing.assert_array_equal(run_medians(values, starts), wanted)


def test_no_runs_and_runs_of_nothing_but_nan():
    assert run_medians(np.empty(0), np.empty(0, np.int64)).shape == (0,)
    found = run_medians(np.array([np.nan, np.nan, 3.0]), np.array([0, 2]))
    np.testing.assert_array_equal(found, [np.nan, 3.0])


def test_slices_of_records():
    records = np.zeros(6, [("a", "i4"), ("b", "f8")])
    records["b"] = [5, 1, 3, 2, 9, 4]
    np.testing.assert_array_equal(run_medians(records["b"], np.array([0, 3])), [3, 4])


def test_equal_values_and_sorted_ones():
    for values in (np.repeat([2.0, 1.0, 3.0], 60), np.arange(101.0), np.arange(100.0)[::-1]):
        assert run_medians(values, np.zeros(1, int)).tolist() == [np.median(values)]


@pytest.mark.parametrize("size", _SIZES)
def test_networks_bring_the_middle_in_place(size):
    # a network that is right for zeros and ones is right for all: any with n ones behave as these
    rng = np.random.default_rng(size)
    rows = np.array([rng.permutation(size) < ones for ones in range(size + 1) for _ in range(50)])
    sorted_ones = np.sort(rows, axis=1)
    for low, high in _middle_network(size):
        pair = rows[:, [low, high]]
        rows[:, low], rows[:, high] = pair.all(axis=1), pair.any(axis=1)
    middle = [size // 2 - 1, size // 2]
    np.testing.assert_array_equal(rows[:, middle], sorted_ones[:, middle])


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 33, 63, 64, 65, 127, 128, 129, 130])
def test_every_length_with_some_missing(n):
    rng = np.random.default_rng(n)
    values = rng.integers(-3, 4, (70, n)).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:3] = -1.0
    starts = np.arange(70) * n
    for missing in (np.nan, -1.0):
        wanted = one_by_one(np.where(values == missing, np.nan, values).ravel(), starts)
        np.testing.assert_array_equal(run_medians(values.ravel(), starts, missing), wanted)


def test_infinite_values():
    values = np.array([np.inf, 1.0, 2.0, -np.inf, np.inf, np.inf, 3.0])
    assert run_medians(values, np.array([0, 3, 4])).tolist() == [2.0, -np.inf, np.inf]
