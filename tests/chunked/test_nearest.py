"""The nearest points, searched from strip to strip, against all pairs."""

from __future__ import annotations

from unittest.mock import patch

import dask
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked import nearest as module
from mfxarray.chunked.nearest import IS_SEARCHED, SEARCHES, nearest
from mfxarray.testing import raise_if_computes
from tests.point_clouds import KINDS, all_pairs, as_chunks, points_of_kind


def truth(
    points: np.ndarray,
    used: np.ndarray,
    k: int = 1,
    groups: tuple[np.ndarray, ...] = (),
    roles: np.ndarray | None = None,
) -> np.ndarray:
    n = len(points)
    may = used & used[:, np.newaxis] & ~np.eye(n, dtype=bool)
    for group in groups:
        may &= group == group[:, np.newaxis]
    if roles is not None:
        may &= ((roles & SEARCHES) > 0)[:, np.newaxis] & ((roles & IS_SEARCHED) > 0)
    pairs = np.where(may, all_pairs(points), np.inf)
    pairs = np.concatenate([pairs, np.full((n, k), np.inf)], axis=1)
    names = np.broadcast_to(np.arange(n + k), pairs.shape)
    row = np.lexsort((names, pairs), axis=1)[:, k - 1]
    squared = pairs[np.arange(n), row]
    nobody = np.isinf(squared)
    return np.stack([np.where(nobody, np.nan, squared**0.5), np.where(nobody, -1, row)], axis=1)


@given(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS),
            "n": st.integers(1, 150),
            "axes": st.sampled_from([2, 3]),
            "seed": st.integers(0, 10_000),
            "k": st.integers(1, 4),
            "groups": st.integers(0, 2),
            "roles": st.booleans(),
            "strips": st.integers(1, 9),
            "chunk": st.integers(7, 160),
        }
    )
)
@settings(max_examples=60, deadline=None)
def test_all_pairs(one: dict) -> None:
    rng, n, k = np.random.default_rng(one["seed"]), one["n"], one["k"]
    points = points_of_kind(one["kind"], n, one["axes"], rng)
    used = rng.random(n) < 0.85
    groups = tuple(rng.integers(0, 4, (one["groups"], n)))
    roles = rng.integers(0, 4, n).astype(np.uint8) if one["roles"] else None
    chunk = one["chunk"]
    found = nearest(
        as_chunks(used, chunk),
        as_chunks(np.where(used[:, np.newaxis], points, np.nan), chunk),
        [as_chunks(group, chunk) for group in groups],
        None if roles is None else as_chunks(roles, chunk),
        k=k,
        strips=one["strips"],
    )
    wanted = truth(points, used, k, groups, roles)
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), wanted)


def test_only_what_may_be_nearer_is_read() -> None:
    rng, n = np.random.default_rng(0), 1500
    points, used = rng.random((n, 2)), np.ones(n, bool)
    # one group has a single member, another two far from each other
    group = np.zeros(n, np.int64)
    group[5], group[6], group[7] = 1, 2, 2
    points[6], points[7] = [0.01, 0.5], [0.99, 0.5]
    read: list[int] = []

    def counted(*where: object) -> object:
        strip = points_between(*where)
        read.append(len(strip.rows))
        return strip

    points_between = module.points_between
    # own points once; with groups once more for extents, and twice what lies between the far two
    for groups, most in (([], 1.7), ([group], 4.6)):
        read.clear()
        columns = [as_chunks(column, 400) for column in groups]
        with patch.object(module, "points_between", counted):
            found = nearest(as_chunks(used, 400), as_chunks(points, 400), columns, strips=10)
            found = found.compute(scheduler="synchronous")
        np.testing.assert_array_equal(found, truth(points, used, 1, groups))
        assert n <= sum(read) < most * n
        assert max(read[-10:]) < 300


def test_points_at_zero_in_all_strips() -> None:
    # distances of nothing, and places whose neighbouring numbers are next to nothing
    points = np.zeros((60, 2))
    points[::3, 0] = 5e-324
    points[1::3, 0] = -5e-324
    found = nearest(as_chunks(np.ones(60, bool), 20), as_chunks(points, 20), strips=4).compute()
    np.testing.assert_array_equal(found[:, 0], 0)


def test_schedulers_and_laziness() -> None:
    rng = np.random.default_rng(1)
    points, used = as_chunks(rng.random((900, 3)), 200), as_chunks(np.ones(900, bool), 200)
    with raise_if_computes():
        found = nearest(used, points, strips=5)
    alone = found.compute(scheduler="synchronous")
    assert found.shape == alone.shape == (900, 2)
    with dask.config.set(num_workers=2):
        np.testing.assert_array_equal(found.compute(scheduler="threads"), alone)
