"""What a block gives: the points of its windows, cut to the strips that are wanted."""

from __future__ import annotations

import numpy as np

from mfxarray.kernels.drift.blocks import (
    Sample,
    band_table,
    block_part,
    halves_of,
    total_content,
)
from mfxarray.kernels.drift.points import Lattice, Windows, make_table
from mfxarray.kernels.drift.solve import Curve

LATTICE, WINDOWS = Lattice(2e-9, 2, 5), Windows(10.0, 4.0, 3, True)


def columns(n=500):
    rng = np.random.default_rng(0)
    position, tim = rng.uniform(-90e-9, 90e-9, (n, 3)), np.sort(rng.uniform(10, 22, n))
    return rng.random(n) < 0.8, position, tim, [np.arange(n) // 7]


def part_of(sample, span=(-100, 100)):
    return block_part(*columns(), sample=sample, span=span)


def test_points_of_used_rows_within_windows():
    used, position, tim, _ = columns()
    number = np.where(used, WINDOWS.number_of(tim), -1).astype(np.int32)
    table, content = part_of(Sample(WINDOWS, LATTICE))
    np.testing.assert_array_equal(table, make_table(position, number, LATTICE))
    np.testing.assert_array_equal(content[:, 0], np.bincount(number[used]))
    ticks = np.rint((tim - 10.0 - number * 4.0) / 1e-6)
    expected = [ticks[number == window].sum() for window in range(3)]
    np.testing.assert_allclose(content[:, 1], expected, atol=500)


def test_strips_are_cut_and_the_content_is_not():
    whole, content = part_of(Sample(WINDOWS, LATTICE))
    table, same = part_of(Sample(WINDOWS, LATTICE), (-3, 4))
    strips = whole[:, 3] // LATTICE.strip
    np.testing.assert_array_equal(table, whole[(strips >= -3) & (strips < 4)])
    np.testing.assert_array_equal(content, same)


def test_nothing_is_written_to_the_block():
    used, position, tim, keys = columns()
    curve = Curve(np.array([10.0, 22.0]), np.array([[0.0] * 3, [5e-9] * 3]), "chord")
    before = position.copy()
    sample = Sample(WINDOWS, LATTICE, curve=curve, half=1)
    block_part(used, position, tim, keys, sample=sample, span=(-100, 100))
    np.testing.assert_array_equal(position, before)


def test_parts_add_up():
    used, position, tim, keys = columns()
    sample = Sample(WINDOWS, LATTICE)
    whole, content = part_of(sample)
    cuts = [slice(0, 100), slice(100, 101), slice(101, 500)]
    parts = [
        block_part(
            used[cut], position[cut], tim[cut], [keys[0][cut]], sample=sample, span=(-100, 100)
        )
        for cut in cuts
    ]
    table = band_table(parts, lattice=LATTICE, first=-100, stop=100)
    np.testing.assert_array_equal(table, whole)
    np.testing.assert_array_equal(total_content(parts), content)


def test_halves_depend_on_every_key():
    tid, wash = np.arange(10_000, dtype=np.int32), np.zeros(10_000, np.int32)
    one, other = halves_of([wash, tid]), halves_of([wash + 1, tid])
    assert abs(one.mean() - 0.5) < 0.03
    assert abs((one == other).mean() - 0.5) < 0.03
    np.testing.assert_array_equal(halves_of([tid]), halves_of([tid.astype(np.int64)]))
