"""Offsets, and the time at which each row is corrected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mfxarray.minflux.beads.times import row_times, time_offsets
from mfxarray.testing import raise_if_computes
from tests.minflux.wash_samples import washes_and_beads


def test_offsets_are_the_ends_of_all_washes_before():
    assert time_offsets([10.0, 20.0, 5.0]) == (0.0, 10.0, 30.0)


def test_times_of_traces_count_only_used_rows():
    _, washes, _ = washes_and_beads(washes=1)
    ds = washes[0]
    used = np.random.default_rng(0).random(ds.sizes["localization"]) < 0.8
    ds["vld"] = ("localization", used)
    with raise_if_computes():
        lazy = row_times(ds, "trace")
    own = pd.Series(np.where(used, ds["tim"].values, np.nan))
    expected = own.groupby(ds["tid"].values).transform("mean")
    np.testing.assert_allclose(lazy.values, expected, atol=8e-9)
    np.testing.assert_array_equal(row_times(ds, "localization").values, ds["tim"].values)
    with pytest.raises(ValueError, match="at must be"):
        row_times(ds, "bead")
