"""Diffusion coefficients of tracks and of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.tracking.tracking import METHODS, diffusion
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.minflux.track_data import ERROR, FRAME, D, shuffled, track_data

CASES = {
    "2d": {"tracks": 3000, "points": 30},
    "blurred, 3d": {"tracks": 2000, "points": 25, "dimensions": 3, "exposure": 1.0},
    "missed, irregular": {"tracks": 3000, "points": 30, "missed": 0.1, "jitter": 0.15},
    "short, large error": {"tracks": 12000, "points": 8, "same_length": False, "error": 20e-9},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_d_of_all_within_2_percent_and_within_its_error(case, method):
    settings = CASES[case]
    truth, data = track_data(seed=11, **settings)
    found = diffusion(data, method, per="ensemble", blur=truth.blur, frame_time=FRAME).compute()
    off = float(found["D"]) / D - 1
    assert abs(off) < 0.02
    assert abs(off) < 3.5 * float(found["D_error"]) / D
    error = settings.get("error", ERROR)
    variance, spread = found["localization_variance"], found["localization_variance_error"]
    assert abs(float(variance) - error**2) < 3.5 * float(spread)
    assert float(found["localization_sigma"]) == pytest.approx(error, rel=0.06)
    assert float(found["dimensions"]) == settings.get("dimensions", 2)
    assert found["D"].attrs["units"] == "m^2/s"


@pytest.mark.parametrize("method", METHODS)
def test_errors_of_the_ensemble_cover(method):
    # one large simulation, cut into many small ones
    truth, data = track_data(tracks=6000, points=12, seed=3, exposure=1.0)
    rows = data.load().sortby("tid")
    off = []
    for number in range(120):
        own = rows.isel(localization=slice(number * 600, (number + 1) * 600)).chunk()
        found = diffusion(own, method, per="ensemble", blur=truth.blur).compute()
        off.append((float(found["D"]) - D) / float(found["D_error"]))
    off = np.abs(off)
    assert abs((off < 1).mean() - 0.683) < 0.13
    assert abs((off < 1.96).mean() - 0.95) < 0.07


@pytest.mark.parametrize("method", METHODS)
def test_d_of_each_trace_and_its_error(method):
    truth, data = track_data(tracks=1000, points=150, seed=5, exposure=1.0)
    found = diffusion(data, method, blur=truth.blur).compute()
    error = found["D"].std() / np.sqrt(1000)
    # the number of points of a line is chosen by the data, which lifts D a little
    allowed = 0.02 * D if method == "msd" else 0.0
    assert abs(found["D"].mean() - D) < 4 * error + allowed
    off = np.abs(found["D"] - D) / found["D_error"]
    assert abs(float((off < 1).mean()) - 0.683) < 0.06
    assert abs(float((off < 1.96).mean()) - 0.95) < 0.035
    assert float(np.median(found["localization_sigma"])) == pytest.approx(ERROR, rel=0.1)
    assert (found["n"] == 150).all()
    assert (found["steps"] == 149).all()
    np.testing.assert_allclose(found["mean_step_time"], FRAME)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_for_every_chunking(method):
    settings = {"tracks": 40, "points": 30, "same_length": False, "missed": 0.1, "seed": 2}
    inputs = [track_data(chunks, **settings)[1] for chunks in (None, 7, 64, 333)]
    for per in ("trace", "ensemble"):
        assert_chunk_invariant(
            lambda data, per=per: diffusion(data, method, per=per, blur=0.1), inputs
        )


def test_traces_that_are_mixed_and_washes():
    _, data = track_data(tracks=30, points=20, seed=2)
    wanted = diffusion(data).compute().sortby("tid")
    mixed = shuffled(data.load())
    found = [diffusion(mixed.chunk(localization=size)).compute() for size in (600, 50)]
    assert_same_bits(*found)
    assert_same_bits(found[0].sortby("tid").drop_attrs(), wanted.drop_attrs())
    wash = (data["tid"] % 2).astype("i4").drop_vars(["tid", "tim"])
    same = data.assign_coords(wash=wash, tid=data["tid"] // 2)
    apart = diffusion(same.chunk(localization=50)).compute()
    np.testing.assert_array_equal(apart["D"], diffusion(data).compute()["D"])
    assert set(apart.coords) == {"tid", "wash"}


def test_2d_in_three_axes_and_dimensions_given():
    truth, data = track_data(tracks=500, points=40, seed=6)
    plain = diffusion(data).compute()
    assert (plain["dimensions"] == 2).all()
    np.testing.assert_array_equal(diffusion(data, dimensions=2).compute()["D"], plain["D"])
    # z that is always 0 counts as an axis if one says so, as the tool of EMBL does
    np.testing.assert_allclose(diffusion(data, dimensions=3).compute()["D"], plain["D"] * 2 / 3)
    moved = data.assign(position=data["position"] + xr.DataArray([0.0, 0.0, 2e-6], dims="axis"))
    np.testing.assert_allclose(diffusion(moved).compute()["D"], plain["D"], rtol=1e-6)
    assert truth.blur == 0


def test_a_known_error_tells_more():
    _, data = track_data(tracks=2000, points=15, seed=7, error=20e-9)
    for method in ("cve", "mle"):
        free = diffusion(data, method).compute()["D"]
        known = diffusion(data, method, localization_sigma=20e-9).compute()
        assert float(known["D"].std()) < 0.8 * float(free.std())
        assert abs(float(known["D"].mean()) / D - 1) < 0.05
        both = diffusion(data, method, per="ensemble", localization_sigma=20e-9).compute()
        assert abs(float(both["D"]) - D) < 3.5 * float(both["D_error"])
        assert float(both["localization_sigma"]) == pytest.approx(20e-9)


def test_lost_particles_do_not_jump():
    _, data = track_data(tracks=1, points=200, seed=1)
    position = data["position"].values.copy()
    position[100:] += 5e-6
    tim = data["tim"].values.copy()
    tim[100:] += 1.0
    data = data.assign(position=(data["position"].dims, position)).assign_coords(
        tim=("localization", tim)
    )
    found = diffusion(data.chunk()).compute()
    assert found["segments"].item() == 2
    assert found["D"].item() < 2 * D
    assert diffusion(data.chunk(), gap=None).compute()["segments"].item() == 1
    assert diffusion(data.chunk(), gap=None, gap_time=0.5).compute()["segments"].item() == 2


def test_filters_and_trimming_count():
    _, data = track_data(tracks=50, points=20, seed=1)
    kept = data.assign(vld=("localization", np.arange(1000) % 20 < 12))
    assert (diffusion(kept).compute()["n"] == 12).all()
    trimmed = diffusion(kept, trim=3).compute()
    assert (trimmed["n"] == 6).all()
    own = data.isel(localization=(np.arange(1000) % 20 >= 3) & (np.arange(1000) % 20 < 9))
    np.testing.assert_array_equal(trimmed["D"], diffusion(own.chunk()).compute()["D"])


def test_lazy():
    _, data = track_data(tracks=20, points=10)
    diffusion(data)
    with raise_if_computes():
        diffusion(data, "mle")
        diffusion(data, "msd", per="ensemble")
        found = diffusion(data, per="ensemble")
    assert found["D"].chunks is not None


def test_few_localizations():
    _, data = track_data(tracks=3, points=2)
    assert np.isnan(diffusion(data).compute()["D"]).all()
    single = data.isel(localization=[0, 2, 4])
    for method in METHODS:
        found = diffusion(single.chunk(), method).compute()
        assert np.isnan(found["D"]).all()
        assert found["n"].values.tolist() == [1, 1, 1]
        both = diffusion(single.chunk(), method, per="ensemble").compute()
        assert np.isnan(both["D"])
    none = diffusion(data.isel(localization=[]).chunk()).compute()
    assert none.sizes["trace"] == 0


def test_the_record():
    _, data = track_data(tracks=3, points=5)
    step = diffusion(data, "mle", blur=0.1).mfx.history[-1]
    assert step["step"] == "diffusion"
    assert step["parameters"]["gap"] == 2.5
    assert step["parameters"]["gap_time"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "ols"},
        {"per": "track"},
        {"blur": 0.3},
        {"frame_time": 0.0},
        {"localization_sigma": -1.0},
        {"method": "msd", "localization_sigma": 1e-9},
        {"points": 3},
        {"method": "msd", "points": 1},
        {"dimensions": 4},
        {"trim": -1},
        {"gap": 0.5},
        {"gap_time": 0.0},
    ],
)
def test_parameters_out_of_range(wrong):
    _, data = track_data(tracks=2, points=5)
    with pytest.raises(ValueError, match=r"must|is "):
        diffusion(data, **wrong)
