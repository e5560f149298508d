"""Groups are seen whole and in row order, whatever the chunks, parts and files."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.chunked.group_rows import by_group
from tests.point_clouds import as_chunks


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.integers(-1, 40, 900), rng.random((900, 3)), rng.integers(0, 5, 900).astype("u1")


def whole(group, rows, position, number):
    return group, rows, position, number


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 9, 200])
@pytest.mark.parametrize("chunk", [900, 77])
def test_groups_come_whole_and_in_order(data, chunk, parts, disk):
    group, position, number = (as_chunks(one, chunk) for one in data)
    found = by_group(group, [position, number], whole, parts=parts, disk=disk)
    assert len(found) == parts
    seen = [set(part[0].tolist()) for part in found]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 40
    order = np.argsort(data[0], kind="stable")
    order = order[data[0][order] >= 0]
    wanted = data[0][order], order, data[1][order], data[2][order]
    for place, one in enumerate(wanted):
        np.testing.assert_array_equal(np.concatenate([part[place] for part in found]), one)


def test_no_groups(data):
    group = as_chunks(np.full(10, -1), 3)
    (found,) = by_group(group, [as_chunks(np.zeros((10, 2)), 3)], lambda *one: one)
    assert [len(one) for one in found] == [0, 0, 0]
    assert found[2].shape == (0, 2)
