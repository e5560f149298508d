"""Mean squared displacements against plain loops and against what is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.minflux.tracking.tracking import fit_msd, msd
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.track_data import ERROR, FRAME, D, track_data


def loops(data: xr.Dataset, lags: int) -> np.ndarray:
    """Return sums of pairs, times and squares of each trace, (trace, lag, 3)."""
    tid, tim = data["tid"].values, data["tim"].values
    xyz = data["position"].values
    out = np.zeros((tid.max() + 1, lags, 3))
    for one in range(len(tid)):
        for two in range(one + 1, len(tid)):
            if tid[one] == tid[two] and two - one <= lags:
                square = ((xyz[two] - xyz[one]) ** 2).sum()
                out[tid[one], two - one - 1] += (1, tim[two] - tim[one], square)
    return out


def test_each_trace_equals_loops():
    _, data = track_data(tracks=8, points=15, same_length=False, jitter=0.2, seed=1)
    found = msd(data, lags=6, per="trace", gap=None).compute()
    sums = loops(data, 6)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found["msd"], sums[..., 2] / sums[..., 0], rtol=1e-10)
        np.testing.assert_allclose(found["lag_time"], sums[..., 1] / sums[..., 0], rtol=1e-10)
    np.testing.assert_array_equal(found["pairs"], sums[..., 0])
    assert found["pairs"].dtype == np.int64
    assert found["msd"].attrs["units"] == "m^2"


def test_the_ensemble_counts_pairs_and_its_errors_are_those_between_tracks():
    _, data = track_data(tracks=40, points=12, same_length=False, seed=1)
    found = msd(data, lags=5, gap=None).compute()
    sums = loops(data, 5)
    pairs, times, squares = sums.sum(axis=0).T
    np.testing.assert_allclose(found["msd"], squares / pairs, rtol=1e-10)
    np.testing.assert_allclose(found["lag_time"], times / pairs, rtol=1e-10)
    off = sums[..., 2] - squares / pairs * sums[..., 0]
    some = sums[:, 0, 0] > 0
    k = some.sum()
    assert int(found["tracks"]) == k
    wanted = k / (k - 1) * (off / pairs).T @ (off / pairs)
    np.testing.assert_allclose(found["msd_covariance"], wanted, rtol=1e-6)
    np.testing.assert_allclose(found["msd_error"], np.sqrt(np.diag(wanted)), rtol=1e-6)


def test_the_analytic_curve_within_its_errors():
    truth, data = track_data(tracks=3000, points=30, exposure=1.0, missed=0.1, seed=2)
    for width in (None, FRAME):
        found = msd(data, bin=width).compute()
        time = found["lag_time"]
        wanted = 4 * D * (time - 2 * truth.blur * FRAME) + 4 * ERROR**2
        assert (np.abs(found["msd"] - wanted) < 4 * found["msd_error"]).all()
        assert (np.abs(found["msd"] / wanted - 1) < 0.05).all()


def test_bins_have_the_true_times():
    _, data = track_data(tracks=5, points=30, jitter=0.3, seed=3)
    found = msd(data, lags=4, bin=2.5e-3, per="trace", gap=None).compute()
    np.testing.assert_allclose(found["lag"], np.arange(1, 5) * 2.5e-3)
    off = np.abs(found["lag_time"] - found["lag"])
    assert (off <= 1.25e-3 * (1 + 1e-9)).all()
    # no pair is lost between bins: all of less than 4.5 bins, and more than half of one
    tim = data["tim"].values.reshape(5, 30)
    gaps = np.abs(tim[:, :, None] - tim[:, None])[:, *np.triu_indices(30, 1)]
    wanted = ((gaps >= 1.25e-3) & (gaps < 4.5 * 2.5e-3)).sum(axis=1)
    np.testing.assert_array_equal(found["pairs"].sum("lag"), wanted)


def test_no_time_is_ever_0():
    _, data = track_data(tracks=5, points=30, jitter=0.3, seed=3)
    found = msd(data, bin=100.0).compute()
    assert (found["pairs"] == 0).all()
    assert np.isnan(found["msd"]).all()
    assert np.isnan(found["msd_error"]).all()


def test_the_same_bits_for_every_chunking_and_lazy():
    inputs = [track_data(size, tracks=20, points=20, seed=1)[1] for size in (None, 3, 77)]
    for per in ("trace", "ensemble"):
        assert_chunk_invariant(lambda data, per=per: msd(data, per=per), inputs)
    with raise_if_computes():
        msd(inputs[1], bin=1e-3)


def test_fit_of_free_motion():
    _, data = track_data(tracks=3000, points=30, seed=4)
    curve = msd(data)
    found = fit_msd(curve)
    assert abs(float(found["D"]) - D) < 3.5 * float(found["D_error"])
    assert float(found["D"]) == pytest.approx(D, rel=0.02)
    assert abs(float(found["offset"]) - 4 * ERROR**2) < 3.5 * float(found["offset_error"])
    other = fit_msd(curve, "anomalous")
    assert abs(float(other["exponent"]) - 1) < 3.5 * float(other["exponent_error"])
    assert float(other["exponent_error"]) < 0.02


def test_fit_of_confined_motion():
    _, data = track_data(tracks=500, points=200, kind="confined", radius=60e-9, seed=4)
    curve = msd(data, lags=60)
    found = fit_msd(curve, "confined")
    assert float(found["confinement_radius"]) == pytest.approx(60e-9, rel=0.02)
    assert float(fit_msd(curve, "anomalous")["exponent"]) < 0.9


def test_fit_of_directed_motion():
    _, data = track_data(tracks=2000, points=40, kind="directed", speed=2e-5, seed=4)
    found = fit_msd(msd(data, lags=15), "directed")
    assert abs(float(found["speed"]) - 2e-5) < 3.5 * float(found["speed_error"])
    assert abs(float(found["D"]) - D) < 3.5 * float(found["D_error"])
    assert float(found["speed_error"]) < 1e-6


def test_coverage_of_fits():
    _, data = track_data(tracks=4000, points=15, seed=5)
    rows = data.load()
    off = []
    for number in range(80):
        own = rows.isel(localization=slice(number * 750, (number + 1) * 750)).chunk()
        found = fit_msd(msd(own, lags=6))
        off.append((float(found["D"]) - D) / float(found["D_error"]))
    assert abs((np.abs(off) < 1.96).mean() - 0.95) < 0.08
    assert abs(np.std(off) - 1) < 0.25


def test_what_cannot_be_fitted():
    _, data = track_data(tracks=5, points=3)
    with pytest.raises(DataError, match="2 points"):
        fit_msd(msd(data), "directed")
    with pytest.raises(ValueError, match="model"):
        fit_msd(msd(data), "bent")
    with pytest.raises(ValueError, match="ensemble"):
        fit_msd(msd(data, per="trace"))


@pytest.mark.parametrize("wrong", [{"lags": 0}, {"bin": 0.0}, {"per": "all"}, {"gap": 0.0}])
def test_parameters_out_of_range(wrong):
    _, data = track_data(tracks=2, points=5)
    with pytest.raises(ValueError, match="must"):
        msd(data, **wrong)
