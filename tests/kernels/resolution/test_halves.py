"""Halves by hash: fair, independent of each other, and of rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.resolution.halves import MOST_SPLITS, add_half, split_words


def mixed(word: int) -> int:
    """SplitMix64 in Python's own integers."""
    full = 2**64
    word = (word + 0x9E3779B97F4A7C15) % full
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % full
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % full
    return word ^ (word >> 31)


def test_the_published_generator():
    # first numbers of SplitMix64 for the seed 1234567, as published with its reference code
    assert mixed(1234567) == 6457827717110365317
    assert mixed((1234567 + 0x9E3779B97F4A7C15) % 2**64) == 3203168211198807973


@pytest.mark.parametrize("seed", [0, 7, -1, 2**63])
def test_the_words_are_those_of_plain_integers(seed):
    wash, tid = np.array([0, 0, 3], np.int32), np.array([0, -1, 2**40])

    def stirred(word: int, number: int) -> int:
        return mixed(mixed(mixed(word) ^ number % 2**64))

    both = zip(wash.tolist(), tid.tolist(), strict=True)
    expected = [stirred(stirred(seed % 2**64, w), t) for w, t in both]
    np.testing.assert_array_equal(split_words(seed, [wash, tid]), np.array(expected, np.uint64))


def test_rows_alike_stay_together():
    rng = np.random.default_rng(0)
    tid = rng.integers(0, 50, 1000)
    words = split_words(3, [tid])
    assert len(np.unique(words)) == len(np.unique(tid))
    order = rng.permutation(1000)
    np.testing.assert_array_equal(split_words(3, [tid[order]]), words[order])


def test_splits_are_fair_and_independent():
    bits = np.unpackbits(split_words(1, [np.arange(20_000)]).view(np.uint8)).reshape(20_000, 64)
    signs = 2.0 * bits - 1
    limit = 5 * np.sqrt(20_000)
    assert np.abs(signs.sum(axis=0)).max() < limit
    products = signs.T @ signs
    assert np.abs(products[~np.eye(MOST_SPLITS, dtype=bool)]).max() < limit
    # neighbouring numbers are no more alike than others
    assert np.abs((signs[1:] * signs[:-1]).sum(axis=0)).max() < limit


def test_seed_wash_and_trace_are_not_exchanged():
    one, two = np.array([1]), np.array([2])
    words = {int(split_words(s, [a, b])[0]) for s in (1, 2) for a in (one, two) for b in (one, two)}
    assert len(words) == 8


@pytest.mark.parametrize("word", [np.uint8, np.uint16, np.uint64])
@pytest.mark.parametrize("split", [None, 0, 7])
@pytest.mark.parametrize("until", [0, 1, 9])
def test_points_of_a_half_and_a_time(word, split, until):
    rng = np.random.default_rng(2)
    z, y, x = rng.integers(0, [[3], [5], [7]], (3, 400))
    halves, step = rng.integers(0, 256, 400).astype(word), rng.integers(0, 4, 400, dtype=np.int32)
    image = np.zeros((3, 5, 7), np.float32)
    place = ((z << 3 | y) << 3 | x).astype(np.int32)
    found = add_half(image, place, halves, step, bits=(2, 3, 3), split=split, until=until)
    kept = (step <= until) & (True if split is None else halves >> word(split or 0) & word(1) == 1)
    expected = np.zeros((3, 5, 7))
    np.add.at(expected, (z[kept], y[kept], x[kept]), 1)
    np.testing.assert_array_equal(image, expected)
    assert found == kept.sum()
