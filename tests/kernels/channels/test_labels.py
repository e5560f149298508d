"""Channels of values and votes of runs against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mfxarray.kernels.channels.labels import (
    label_by_mixture,
    label_by_windows,
    run_means,
    vote_runs,
)

MIXTURE = (np.array([0.3, 0.5, 0.7]), np.array([0.05, 0.2, 0.06]), np.array([0.3, 0.1, 0.6]))
VALUES = np.append(np.linspace(-0.5, 1.5, 501), [np.nan, 40.0])


def posteriors(values, mixture=MIXTURE):
    logs = np.stack(
        [np.log(w) + norm.logpdf(values, m, s) for m, s, w in zip(*mixture, strict=True)], axis=1
    )
    parts = np.exp(logs - logs.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("least", [0.0, 0.5, 0.95])
def test_likeliest_component(least):
    found = label_by_mixture(VALUES, *MIXTURE, least)
    wanted = posteriors(VALUES)
    best = wanted.max(axis=1)
    np.testing.assert_allclose(found[:, 1], best, rtol=1e-10)
    label = np.where(np.isnan(VALUES) | ~(best >= least), -1, wanted.argmax(axis=1))
    np.testing.assert_array_equal(found[:, 0], label)
    assert found[-2, 0] == -1


def test_components_that_are_not_there_do_not_count():
    padded = [np.append(part, np.nan) for part in MIXTURE]
    one, other = label_by_mixture(VALUES, *padded, 0.6), label_by_mixture(VALUES, *MIXTURE, 0.6)
    np.testing.assert_array_equal(one, other)
    nothing = [np.full(2, np.nan)] * 3
    found = label_by_mixture(VALUES, *nothing, 0.0)
    assert (found[:, 0] == -1).all()
    assert np.isnan(found[:, 1]).all()


def test_windows():
    windows = np.array([[0.0, 0.4], [0.3, 0.6]])
    values = np.array([-0.1, 0.0, 0.35, 0.4, 0.41, 0.6, 0.61, np.nan])
    found = label_by_windows(values, windows, closed=True)
    np.testing.assert_array_equal(found[:, 0], [-1, 0, 0, 0, 1, 1, -1, -1])
    np.testing.assert_array_equal(found[:, 1], [0, 1, 1, 1, 1, 1, 0, np.nan])
    half_open = label_by_windows(values, windows, closed=False)
    np.testing.assert_array_equal(half_open[:, 0], [-1, 0, 0, 1, 1, -1, -1, -1])


def test_windows_with_probabilities():
    windows = np.array([[-np.inf, 0.4], [0.4, 0.6], [0.6, np.inf]])
    found = label_by_windows(VALUES, windows, closed=False, mixture=MIXTURE, least=0.5)
    wanted, own = posteriors(VALUES), np.digitize(VALUES, [0.4, 0.6])
    chance = wanted[np.arange(len(VALUES)), own]
    known = ~np.isnan(VALUES)
    np.testing.assert_allclose(found[known, 1], chance[known], rtol=1e-9)
    np.testing.assert_array_equal(found[known, 0], np.where(chance >= 0.5, own, -1)[known])


def test_votes():
    labels = [0, 0, 1, 1, 1, -1, 0, 1, -1, -1, 2]
    chance = [1, 1, 1, 1, 1, 0.4, 1, 1, np.nan, np.nan, 1]
    starts = np.array([0, 3, 6, 8, 10])
    table = np.column_stack([labels, chance]).astype(float)
    found = vote_runs(table, starts, 3, 0.5)
    np.testing.assert_array_equal(found[:, 0], [0, 1, -1, -1, 2])
    np.testing.assert_allclose(found[:, 1], [2 / 3, 2 / 3, 0.5, np.nan, 1])
    strict = vote_runs(table, starts, 3, 0.7)
    np.testing.assert_array_equal(strict[:, 0], [-1, -1, -1, -1, 2])
    np.testing.assert_array_equal(strict[:, 1], found[:, 1])


def test_no_run():
    assert vote_runs(np.empty((0, 2)), np.empty(0, np.int64), 2, 0.5).shape == (0, 2)
    assert run_means(np.empty(0), np.empty(0, np.int64)).shape == (0,)


def test_means_leave_nan_out():
    values = np.array([1.0, np.nan, 4.0, np.nan, np.nan, 1e9 + 1, 1e9 + 2])
    found = run_means(values, np.array([0, 3, 5]))
    np.testing.assert_array_equal(found, [2.5, np.nan, 1e9 + 1.5])
