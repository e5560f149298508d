"""Arrays of registered washes under the seed's names."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.beads.aligned import (
    REF_ERROR,
    aligned_beads,
    aligned_columns,
    aligned_wash,
    ref_error,
    unique_ids,
)
from mfxarray.minflux.beads.report import bead_stability
from mfxarray.testing import raise_if_computes
from tests.stores.export_samples import used, washes


def test_ids_begin_above_the_largest_before():
    parts = [np.array(ids, np.int32) for ids in ([0, 5, 2], [], [0, 1], [3])]
    found = unique_ids(parts)
    assert [part.tolist() for part in found] == [[0, 5, 2], [], [6, 7], [11]]
    assert [part.dtype for part in found] == [np.int32] * 4


def test_ids_become_wider_where_they_must():
    largest = np.iinfo(np.int32).max
    first, second = unique_ids([np.array([largest], np.int32), np.array([0, 7], np.int32)])
    assert first.dtype == np.int32
    assert second.dtype == np.int64
    assert second.tolist() == [largest + 1, largest + 8]
    with pytest.raises(ValueError, match="id -1"):
        unique_ids([np.array([-1], np.int32)])


def test_columns_are_lazy_and_know_what_counts():
    ds, fit = washes()
    with raise_if_computes():
        keep, columns = aligned_columns(ds, fit)
    np.testing.assert_array_equal(keep.compute(), used(ds))
    assert set(columns) == {"tim", "tid", "lnc", "loc", "eco", "efo", "ltr"}


def test_mean_times_of_traces_that_come_back():
    rows = {
        "tim": np.array([1.0, 2.0, 10.0, 6.0]),
        "tid": np.array([4, 4, 9, 4], np.int32),
        "lnc": np.zeros((4, 3)),
        "ltr": np.ones((4, 3)),
    }
    found = aligned_wash(rows, None, 0.0)
    assert list(found) == ["tim", "tim_tid_mean", "tid", "lnc", "vld", "ltr", "lre"]
    np.testing.assert_array_equal(found["tim_tid_mean"], [3.0, 3.0, 10.0, 3.0])
    assert found["vld"].all()


def test_error_of_the_registered_beads():
    _, fit = washes()
    found = ref_error(fit)
    table = bead_stability(fit).sel(state="registered")
    assert tuple(found) == REF_ERROR
    assert found == {name: float(table[name]) for name in REF_ERROR}
    assert found["se_xy"] == pytest.approx(found["std_xy"] / 2)
    assert np.isnan(list(ref_error(None).values())).all()


def test_registered_beads_stand_where_the_reference_has_them():
    _, fit = washes()
    found = aligned_beads(fit)
    places = found["ltr"].reshape(-1, 4, 3)
    homes = fit.washes[0].homes
    np.testing.assert_allclose(np.nanmean(places, axis=0), homes, atol=0.5e-9)
    # measured ones are seen from the centre of the beads, once all are there
    measured = found["lnc"].reshape(-1, 4, 3)
    first = measured[np.isfinite(measured).all(axis=(1, 2))][0]
    np.testing.assert_allclose(first.mean(axis=0), 0.0, atol=1e-20)
    np.testing.assert_allclose(first, homes - homes.mean(axis=0), atol=10e-9)
