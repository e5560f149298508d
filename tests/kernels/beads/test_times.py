"""Exact mean times of traces, however they are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mfxarray.kernels.beads.times import join_sums, mean_times, time_sums, times_of_rows


def rows_of(seed=0):
    rng = np.random.default_rng(seed)
    tid = np.repeat(rng.permutation(300), rng.geometric(0.1, 300)).astype(np.int32)
    # some traces come back after others
    tid = np.concatenate([tid, tid[:50]])
    tim = np.sort(rng.uniform(0, 2e4, len(tid)))
    return tid, tim, rng.random(len(tid)) < 0.8


def test_equals_pandas():
    tid, tim, used = rows_of()
    sums = time_sums(tid, tim, used)
    expected = pd.Series(tim[used]).groupby(tid[used]).mean()
    assert sums.ids.tolist() == expected.index.tolist()
    np.testing.assert_allclose(mean_times(sums), expected, rtol=0, atol=8e-9)
    assert int(sums.count.sum()) == int(used.sum())


def test_every_cut_gives_the_same_bits():
    tid, tim, used = rows_of()
    whole = mean_times(time_sums(tid, tim, used))
    for cuts in ([1], [700], [10, 11, 12, 500, 501, 2000], list(range(0, len(tid), 3))):
        parts = [
            time_sums(*(column[rows] for column in (tid, tim, used)))
            for rows in np.split(np.arange(len(tid)), cuts)
        ]
        np.testing.assert_array_equal(mean_times(join_sums(parts)), whole)
        np.testing.assert_array_equal(mean_times(join_sums(parts[::-1])), whole)


def test_rows_get_the_time_of_their_trace():
    tid, tim, used = rows_of()
    used &= tid != 7
    sums = time_sums(tid, tim, used)
    found = times_of_rows(tid, sums.ids, mean_times(sums))
    assert np.isnan(found[tid == 7]).all()
    table = dict(zip(sums.ids, mean_times(sums), strict=True))
    np.testing.assert_array_equal(found, [table.get(one, np.nan) for one in tid])


def test_times_that_are_no_numbers_do_not_count():
    sums = time_sums(np.zeros(3, np.int32), np.array([1.0, np.nan, 3.0]), np.ones(3, bool))
    assert mean_times(sums).tolist() == [2.0]


def test_nothing():
    sums = time_sums(np.zeros(0, np.int32), np.zeros(0), np.zeros(0, bool))
    assert mean_times(join_sums([sums, sums])).size == 0
    assert np.isnan(times_of_rows(np.zeros(2, np.int32), sums.ids, np.zeros(0))).all()
