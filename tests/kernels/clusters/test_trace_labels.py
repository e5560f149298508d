"""Parts of traces: DBSCAN against scikit-learn, gates and rejections against plain rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from mfxarray.kernels.clusters.trace_dbscan import label_dense, label_many
from mfxarray.kernels.clusters.trace_labels import SplitRules, run_spreads, split_runs

NM = 1e-9


def dense(points, eps, least):
    labels = np.empty(len(points), np.int64)
    label_dense(np.ascontiguousarray(points, float), eps, least, labels)
    return labels


def renumbered(labels):
    """Numbers by first point, -1 kept."""
    names = [name for name in dict.fromkeys(labels.tolist()) if name >= 0]
    return np.array([names.index(name) if name >= 0 else -1 for name in labels.tolist()])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=40),
    st.sampled_from([1.0, 1.5, 2.0, np.sqrt(3.0)]),
    st.integers(1, 5),
)
def test_dbscan_equals_sklearn(rows, eps, least):
    points = np.array(rows, float)
    oracle = DBSCAN(eps=eps, min_samples=least, algorithm="brute", metric="euclidean").fit(points)
    found = dense(points, eps, least)
    # borders go to the cluster of the lowest core point, which scikit-learn meets first
    np.testing.assert_array_equal(renumbered(found), renumbered(oracle.labels_))
    np.testing.assert_array_equal(label_many(points, eps, least), found)


def test_long_traces_are_split_as_short_ones():
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(at, 12, (600, 3)) for at in (0, 90)]) * NM
    wanted = dense(points, 4 * NM, 4)
    assert len(np.unique(wanted)) > 5
    found = split(points, SplitRules("dbscan", eps=4 * NM, min_localizations=4))
    sizes = np.unique(wanted[wanted >= 0], return_counts=True)
    wanted[np.isin(wanted, sizes[0][sizes[1] < 4])] = -1
    np.testing.assert_array_equal(found, renumbered(wanted))
    narrow = split(points, SplitRules("dbscan"), spread_limit=1.0)
    assert (narrow == 0).all()


def test_min_samples_of_one_is_connected_components():
    points = np.array([[0.0, 0, 0], [9, 0, 0], [1, 0, 0], [2, 0, 0], [10.5, 0, 0]])
    np.testing.assert_array_equal(dense(points, 1.0, 1), [0, 1, 0, 0, 4])


def split(points, rules, efo=None, spread_limit=0.0, efo_limit=np.nan, starts=(0,), tid=None):
    n = len(starts)
    keys = (np.zeros(n, np.int64), np.arange(n) if tid is None else np.asarray(tid))
    counted = np.zeros(len(points)) if efo is None else np.asarray(efo, float)
    limits = np.full(n, efo_limit)
    return split_runs(points, counted, keys, np.array(starts), rules, spread_limit, limits)


def pair(n=(10, 10), apart=60.0, seed=0):
    """Two groups of localizations in nm, spread 3 nm, in metres."""
    rng = np.random.default_rng(seed)
    groups = [rng.normal((k * apart, 0, 0), 3, (m, 3)) for k, m in enumerate(n)]
    return np.concatenate(groups) * NM + 5e-6


@pytest.mark.parametrize("method", ["dbscan", "gmm", "bayes"])
def test_two_groups_are_two_parts(method):
    rules = SplitRules(method, least_spread=NM, eps=20 * NM)
    np.testing.assert_array_equal(split(pair(), rules), np.repeat([0, 1], 10))
    # numbers follow the order of the rows
    np.testing.assert_array_equal(split(pair()[::-1], rules), np.repeat([0, 1], 10))


@pytest.mark.parametrize("method", ["dbscan", "gmm", "bayes"])
def test_traces_that_are_short_or_narrow_are_not_examined(method):
    rules = SplitRules(method, examined_from=21)
    assert (split(pair(), rules) == 0).all()
    wide = run_spreads(pair(), np.array([0]))[0]
    rules = SplitRules(method, least_spread=NM)
    assert (split(pair(), rules, spread_limit=np.nextafter(wide, 1)) == 0).all()
    # a trace at the limit is examined
    if method != "bayes":
        assert (split(pair(), rules, spread_limit=wide) == np.repeat([0, 1], 10)).all()


def test_small_parts_are_rejected():
    rules = SplitRules("gmm", least_spread=NM, min_localizations=3)
    labels = split(pair((10, 2)), rules)
    np.testing.assert_array_equal(labels, [0] * 10 + [-1] * 2)
    np.testing.assert_array_equal(split(pair((10, 3)), rules), [0] * 10 + [1] * 3)


def test_bug_09_bayesian_components_compared_are_the_populated_ones():
    rules = SplitRules("bayes", merge_distance=np.nan)
    # far groups stay apart, near ones become one, whichever components they fell to
    for seed in range(20):
        far = split(pair(seed=seed), rules, spread_limit=15 * NM)
        np.testing.assert_array_equal(far, np.repeat([0, 1], 10))
        near = split(pair(apart=25, seed=seed), rules, spread_limit=0.0)
        joined = SplitRules("bayes", merge_distance=40 * NM)
        assert near.max() >= 1
        assert (split(pair(apart=25, seed=seed), joined) == 0).all()


def test_close_components_are_joined_and_the_far_one_stays():
    rng = np.random.default_rng(1)
    groups = [rng.normal((at, 0, 0), 2, (15, 3)) for at in (0, 20, 200)]
    labels = split(np.concatenate(groups) * NM, SplitRules("bayes", merge_distance=50 * NM))
    np.testing.assert_array_equal(labels, np.repeat([0, 1], [30, 15]))


@pytest.mark.parametrize(("bright", "rejected"), [(0, False), (1, False), (2, False), (3, True)])
def test_bug_10_a_part_is_too_bright_from_more_than_half(bright, rejected):
    points = pair((5, 5))
    efo = np.r_[[100.0] * bright, [1.0] * (10 - bright)]
    labels = split(points, SplitRules("dbscan"), efo=efo, efo_limit=10.0)
    wanted = np.repeat([-1, 0] if rejected else [0, 1], 5)
    np.testing.assert_array_equal(labels, wanted)


def test_bug_10_a_single_localization_is_not_always_rejected():
    one = pair((1, 0))
    assert split(one, SplitRules("dbscan", examined_from=6), efo=[5.0], efo_limit=10.0)[0] == 0
    assert split(one, SplitRules("dbscan", examined_from=6), efo=[50.0], efo_limit=10.0)[0] == -1


def test_bug_10_traces_that_are_not_examined_can_be_too_bright():
    labels = split(pair(), SplitRules("gmm", examined_from=99), efo=[50.0] * 20, efo_limit=10.0)
    assert (labels == -1).all()


def test_efo_that_is_not_known_rejects_nothing():
    labels = split(pair(), SplitRules("dbscan"), efo=[np.nan] * 20, efo_limit=10.0)
    np.testing.assert_array_equal(labels, np.repeat([0, 1], 10))


def test_bug_31_axes_that_were_not_measured_do_not_count():
    points = pair()
    points[:, 2] = 3e-7
    sd = points.std(axis=0)
    found = run_spreads(points, np.array([0]))[0]
    assert found == pytest.approx(np.sqrt((sd[:2] ** 2).mean()), rel=1e-9)
    # a flat trace is split as the same trace without a third axis is
    for method in ("gmm", "bayes"):
        rules = SplitRules(method, least_spread=NM)
        np.testing.assert_array_equal(split(points, rules), split(points[:, :2].copy(), rules))


def test_spreads_equal_numpy_and_single_points_spread_nothing():
    rng = np.random.default_rng(2)
    points = rng.normal(0, 3e-9, (30, 3)) + 1e-5
    starts = np.array([0, 1, 12])
    found = run_spreads(points, starts)
    wanted = [np.sqrt(part.var(axis=0).mean()) for part in np.split(points, starts[1:])]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=0)
    assert found[0] == 0


def test_random_numbers_belong_to_the_trace_not_to_its_place():
    rng = np.random.default_rng(3)
    traces = [rng.random((25, 3)) * 40 * NM for _ in range(6)]
    starts = np.arange(6) * 25
    rules = SplitRules("bayes", n_init=1, seed=9)
    tid = [7, 3, 9, 1, 0, -4]
    together = split(np.concatenate(traces), rules, starts=starts, tid=tid).reshape(6, 25)
    for number, trace in enumerate(traces):
        alone = split(trace, rules, tid=[tid[number]])
        np.testing.assert_array_equal(alone, together[number])


@pytest.mark.parametrize("method", ["dbscan", "gmm", "bayes"])
def test_no_rows_and_equal_rows(method):
    rules = SplitRules(method)
    assert len(split(np.empty((0, 3)), rules, starts=())) == 0
    assert (split(np.ones((7, 3)), rules) == 0).all()
    assert (split(np.ones((1, 3)), rules) == -1).all()
