"""Sorting by digits against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.clusters.digit_sort import sorted_order, sorted_places


@pytest.mark.parametrize("span", [1, 2, 2000, 2**33, 2**62])
def test_integers(span: int) -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, span, 3000) - span // 2
    np.testing.assert_array_equal(sorted_order(keys), np.argsort(keys, kind="stable"))
    again = rng.integers(0, 3, 3000)
    order = sorted_order(again, sorted_order(keys))
    np.testing.assert_array_equal(order, np.lexsort((keys, again)))


@pytest.mark.parametrize("offset", [0.0, 1.0, -1e-5, -7.0])
def test_floats(offset: float) -> None:
    rng = np.random.default_rng(1)
    places = rng.normal(size=3000) * 1e-6 + offset
    places[::5] = places[1]
    places[:4] = [0.0, -0.0, 5e-324, -5e-324]
    np.testing.assert_array_equal(sorted_places(places), np.argsort(places, kind="stable"))


def test_none_and_one() -> None:
    assert sorted_order(np.empty(0, np.int64)).shape == (0,)
    assert sorted_places(np.empty(0)).shape == (0,)
    assert sorted_order(np.array([-5])).tolist() == [0]
    assert sorted_places(np.array([-1e300, 1e300])).tolist() == [0, 1]
