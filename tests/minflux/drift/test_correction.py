"""Positions with the drift subtracted: what comes out, lazily, once."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import CubicSpline

from mfxarray.minflux.drift.correction import correct_drift
from mfxarray.minflux.drift.estimate import estimate_drift
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.drift_samples import NM, drifting


@pytest.fixture(scope="module")
def found():
    ds, drift = drifting(60, 3, traces=1200, field_um=1.5, seed=3, chunks=3000)
    return ds, drift, estimate_drift(ds, window=1500.0, uncertainty=False)


def test_the_motion_is_gone(found):
    ds, drift, table = found
    with raise_if_computes():
        corrected = correct_drift(ds, table)
    left = corrected["position_drift_corrected"].values - (ds["position"].values)
    error = left + drift(ds["tim"].values)
    error -= error.mean(axis=0)
    assert (error.std(axis=0) < 1.0 * NM).all()
    assert corrected["position_drift_corrected"].attrs["units"] == "m"
    np.testing.assert_array_equal(corrected["position"], ds["position"])


def test_the_spline_goes_through_the_windows(found):
    ds, _, table = found
    corrected = correct_drift(ds, table, replace=True)
    tim = ds["tim"].values
    times = table["window_time"].values
    inside = (tim > times[0]) & (tim < times[-1])
    expected = CubicSpline(times, table["window_drift"].values)(tim)
    shift = (ds["position"].values - corrected["position"].values)[inside]
    np.testing.assert_allclose(shift, expected[inside], atol=1e-6 * NM)
    assert "position_drift_corrected" not in corrected


def test_the_drift_is_subtracted_once(found):
    ds, _, table = found
    for replace in (False, True):
        once = correct_drift(ds, table, replace=replace)
        step = history(once.attrs)[-1]
        assert (step["step"], step["parameters"]) == ("correct_drift", {"replace": replace})
        assert step["others"]["drift"][-1]["step"] == "estimate_drift"
        with pytest.raises(ValueError, match="subtracted before"):
            correct_drift(once, table)


def test_every_iteration_is_corrected(found):
    ds, _, table = found
    both = ds.assign(
        position=(
            ("localization", "iteration", "axis"),
            np.stack([ds["position"].values + 1e-7, ds["position"].values], axis=1),
        )
    )
    corrected = correct_drift(both, table)["position_drift_corrected"]
    expected = correct_drift(ds, table)["position_drift_corrected"]
    assert corrected.dims == ("localization", "iteration", "axis")
    np.testing.assert_array_equal(corrected[:, 1], expected)
    np.testing.assert_allclose(corrected[:, 0], expected + 1e-7, rtol=1e-12)


def test_chunks_change_nothing(found):
    ds, _, table = found
    inputs = [ds.chunk(localization=size) for size in (500, 1234, -1)]
    assert_chunk_invariant(lambda data: correct_drift(data, table), inputs)


def test_the_axes_stay_where_they_were(found):
    ds, _, table = found
    turned = correct_drift(ds.transpose("axis", "localization"), table)
    assert turned["position_drift_corrected"].dims == ("axis", "localization")


def test_what_is_refused(found):
    ds, _, table = found
    with pytest.raises(ValueError, match="this is no drift"):
        correct_drift(ds, xr.Dataset())
    with pytest.raises(ValueError, match="position and tim are needed"):
        correct_drift(ds.drop_vars("position"), table)
