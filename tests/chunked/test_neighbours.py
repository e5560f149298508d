"""Counts and sums of neighbours by strips against all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked.neighbours import counts_within, density_sums
from tests.point_clouds import KINDS, all_pairs, as_chunks, points_of_kind


@given(
    st.sampled_from(KINDS),
    st.integers(1, 150),
    st.integers(0, 1000),
    st.integers(1, 7),
    st.integers(5, 160),
    st.sampled_from([0.1, 0.125, 1.0, 50.0]),
)
@settings(max_examples=60, deadline=None)
def test_all_pairs(kind: str, n: int, seed: int, strips: int, chunk: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    points, used, group = (
        points_of_kind(kind, n, 3, rng),
        rng.random(n) < 0.8,
        rng.integers(0, 3, n),
    )
    pairs = all_pairs(points)
    near = used & used[:, np.newaxis] & ~np.eye(n, dtype=bool)
    arrays = (
        as_chunks(used, chunk),
        as_chunks(np.where(used[:, np.newaxis], points, np.nan), chunk),
    )
    for groups, near_ in (((), near), ((group,), near & (group == group[:, np.newaxis]))):
        columns = [as_chunks(column, chunk) for column in groups]
        counts = counts_within(*arrays, columns, radius=radius, strips=strips)
        wanted = (near_ & (pairs <= radius * radius)).sum(axis=1)
        np.testing.assert_array_equal(counts.compute(), np.where(used, wanted, -1))
        sums = density_sums(*arrays, columns, fwhm=radius, strips=strips).compute()
        terms = np.where(near_, np.exp(-4 * np.log(2) * pairs / radius**2), 0)
        wanted = np.where(used, terms.sum(axis=1), np.nan)
        np.testing.assert_allclose(sums, wanted, atol=n * 1.1e-7)


@pytest.mark.parametrize("chunk", [900, 171])
def test_sums_have_the_same_bits_for_all_strips(chunk: int) -> None:
    rng = np.random.default_rng(0)
    points, used = rng.random((900, 3)) + 1.0, np.ones(900, bool)
    found = [
        density_sums(as_chunks(used, chunk), as_chunks(points, chunk), fwhm=0.1, strips=strips)
        for strips in (1, 2, 11)
    ]
    first = found[0].compute()
    assert np.unique(first).size > 800
    for other in found[1:]:
        np.testing.assert_array_equal(other.compute(), first)
