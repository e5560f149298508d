"""Resolutions against closed forms, and that nothing but the points decides them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq

import mfxarray as mfx
from mfxarray.minflux.resolution.correlate import resolution, resolution_over_time
from mfxarray.minflux.resolution.settings import PRESETS, ResolutionSettings
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, count_computes, raise_if_computes
from tests.samples import four_chunkings, localizations_of

NM = 1e-9
FIELD = ((0.0, 1500 * NM), (0.0, 1500 * NM))


def blobs(
    sites: int = 400,
    traces: int = 8,
    each: int = 5,
    sigma_trace: float = 4.0,
    sigma: float = 2.5,
    seed: int = 0,
    **columns: np.ndarray,
) -> xr.Dataset:
    """Sites at random, each seen by some traces with an error of their own, nm."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(30, 1470, (sites, 1, 1, 3)) * [1, 1, 0.05]
    place = place + rng.normal(0, sigma_trace, (sites, traces, 1, 3))
    place = place + rng.normal(0, sigma, (sites, traces, each, 3))
    tid = np.repeat(rng.permutation(sites * traces), each)
    return localizations_of(place.reshape(-1, 3) * NM, tid=tid, **columns)


def expected(
    frequency: np.ndarray, split: str, traces: int, each: int, sigma_trace: float, sigma: float
) -> np.ndarray:
    """What the correlation of random sites must be, frequency in 1/nm.

    Half of the pairs of localizations are in different halves. Pairs of the same trace differ by
    the own error alone, pairs of two traces of a site by both errors, other pairs by anything.
    """
    angle = np.linspace(0, 2 * np.pi, 73)[:-1, None]
    # counts in a pixel are the density there, smoothed by the pixel
    pixel = np.mean(
        np.square(np.sinc(frequency * np.cos(angle)) * np.sinc(frequency * np.sin(angle))), 0
    )
    own = pixel * np.exp(-((2 * np.pi * sigma * frequency) ** 2))
    both = own * np.exp(-((2 * np.pi * sigma_trace * frequency) ** 2))
    same = each * (each - 1) * own * traces / 4
    other = traces * (traces - 1) * each**2 * both / 4
    noise = each * traces / 2
    if split == "trace":
        return other / (noise + 2 * same + other)
    return (same + other) / (noise + same + other)


@pytest.mark.parametrize("split", ["trace", "localization"])
@pytest.mark.parametrize(
    ("traces", "each", "sigma_trace", "sigma"),
    [(8, 5, 4.0, 2.5), (12, 1, 0.0, 5.0), (3, 20, 2.0, 4.0)],
)
def test_blobs_of_known_size(split, traces, each, sigma_trace, sigma):
    known = {"traces": traces, "each": each, "sigma_trace": sigma_trace, "sigma": sigma}
    found = resolution(blobs(**known), limits=FIELD, split=split).compute()
    frequency = found["frequency"].values * NM
    truth = expected(frequency, split, **known)
    # from ring 5 on rings have enough coefficients; speckles of 400 sites stay
    curve = found["correlation"].mean("repeat").values
    close = 4 / np.sqrt(found["coefficients"].values[5:])
    assert np.abs(curve - truth)[5:].max() < close.max()
    assert np.mean(np.abs(curve - truth)[5:] < close) > 0.97
    crossing = brentq(lambda q: expected(np.array([q]), split, **known)[0] - 1 / 7, 1e-4, 0.5)
    assert float(found["resolution_mean"]) / NM == pytest.approx(1 / crossing, rel=0.05)
    assert float(found["resolution_of_mean"]) / NM == pytest.approx(1 / crossing, rel=0.05)


def test_the_split_matters():
    ds = blobs()
    by_trace, by_row = (
        float(resolution(ds, limits=FIELD, split=split, repeats=4)["resolution_mean"]) / NM
        for split in ("trace", "localization")
    )
    assert by_trace > 1.3 * by_row


def test_means_of_traces_are_split_as_their_localizations():
    ds = blobs(each=1, sigma=1e-9)
    table = ds.mfx.traces().compute()
    one, other = (resolution(data, limits=FIELD).compute() for data in (ds, table))
    np.testing.assert_array_equal(one["points"], other["points"])
    np.testing.assert_allclose(one["resolution"], other["resolution"], rtol=1e-6)
    assert other.attrs["of"] == "trace"


def test_noise_has_no_resolution():
    rng = np.random.default_rng(1)
    ds = localizations_of(rng.uniform(0, 1500, (20_000, 3)) * NM)
    found = resolution(ds, limits=FIELD).compute()
    scores = (found["correlation"] * np.sqrt(found["coefficients"])).values[:, 2:]
    assert np.mean(np.abs(scores) > 3) < 0.01
    assert np.isnan(found["resolution"]).all()
    assert np.isnan(found["resolution_mean"])


def test_too_large_pixels_have_no_crossing():
    found = resolution(blobs(sigma=0.2, sigma_trace=0.2), pixel=20 * NM, limits=FIELD).compute()
    assert np.isnan(found["resolution"]).all()
    assert (found["correlation"].values > 0.5).all()


def test_shells():
    rng = np.random.default_rng(2)
    known = {"traces": 20, "each": 1, "sigma_trace": 0.0, "sigma": 8.0}
    place = rng.uniform(40, 460, (150, 1, 3)) + rng.normal(0, 8.0, (150, 20, 3))
    ds = localizations_of(place.reshape(-1, 3) * NM)
    limits = ((0.0, 500 * NM),) * 3
    found = resolution(ds, dimensions=3, pixel=4 * NM, limits=limits, repeats=4).compute()
    crossing = brentq(lambda q: expected(np.array([q]), "trace", **known)[0] - 1 / 7, 1e-4, 0.5)
    # voxels of 4 nm smooth a little more than those of 1 nm in the closed form
    assert float(found["resolution_mean"]) / NM == pytest.approx(1 / crossing, rel=0.08)


@pytest.mark.parametrize("limits", [FIELD, None, 0.01])
@pytest.mark.parametrize(
    "choices", [{}, {"split": "localization"}, {"tile": 256}, {"preset": "seed"}]
)
def test_the_same_bits_for_every_chunking(limits, choices):
    ds = blobs(sites=60)
    repeats = {"repeats": 3, "limits": limits, "pixel": 2 * NM, **choices}
    assert_chunk_invariant(
        lambda data: resolution(data, **repeats), four_chunkings(ds, "localization")
    )


def test_the_order_of_rows_does_not_matter_where_traces_are_split():
    ds = blobs(sites=60)
    order = np.random.default_rng(0).permutation(ds.sizes["localization"])
    one, other = (
        resolution(data, repeats=3, limits=FIELD).compute()
        for data in (ds, ds.isel(localization=order))
    )
    xr.testing.assert_identical(one, other)


def test_traces_of_two_washes_are_two():
    ds = blobs(sites=60, each=1)
    rows = np.arange(ds.sizes["localization"])
    wash = ds.assign_coords(wash=("localization", rows % 2), tid=("localization", rows // 2))
    alone, both = (
        resolution(data, repeats=1, limits=FIELD).compute()["points"].values[0]
        for data in (wash.drop_vars("wash"), wash)
    )
    assert (alone % 2 == 0).all()
    assert (both != alone).any()


def test_tiles_tell_the_same():
    ds = blobs(sites=900)
    whole, tiles = (
        resolution(ds, limits=FIELD, repeats=4, tile=tile).compute() for tile in (None, 512)
    )
    assert (whole.attrs["tiles"], tiles.attrs["tiles"]) == (1, 9)
    np.testing.assert_allclose(whole["resolution_mean"], tiles["resolution_mean"], rtol=0.05)
    np.testing.assert_array_equal(whole["points"], tiles["points"])


def test_nothing_is_computed_with_limits():
    ds = blobs(sites=30).chunk(localization=200)
    with raise_if_computes():
        resolution(ds, limits=FIELD)
        resolution_over_time(ds, [100.0, 1e9], limits=FIELD)


@pytest.mark.parametrize("limits", [None, 0.02])
def test_limits_are_found_at_once(limits):
    ds = blobs(sites=30).chunk(localization=200)
    with count_computes() as made:
        resolution(ds, limits=limits)
    assert len(made) == 1


def test_limits():
    ds = blobs(sites=30)
    place = ds["position"].values[:, :2]
    found = resolution(ds, repeats=1)
    assert (np.array(found.attrs["field_low"]) <= place.min(axis=0)).all()
    assert (np.array(found.attrs["field_high"]) >= place.max(axis=0)).all()
    assert (found["points"].sum("half") == len(place)).all()
    cut = resolution(ds, repeats=1, limits=0.1)
    ends = np.quantile(place, [0.1, 0.9], axis=0, method="hazen")
    np.testing.assert_allclose(cut.attrs["field_low"], ends[0])
    np.testing.assert_allclose(cut.attrs["field_high"], ends[1], atol=NM)


def test_what_is_masked_does_not_count():
    ds = blobs(sites=60)
    kept = ds["tid"] % 3 != 0
    one = resolution(ds.assign(selected=kept), limits=FIELD, repeats=2).compute()
    other = resolution(ds.isel(localization=kept.values), limits=FIELD, repeats=2).compute()
    xr.testing.assert_equal(one, other)


def test_the_seed_preset():
    found = resolution(blobs(), preset="seed", repeats=3)
    assert found.attrs["split"] == "localization"
    # the field is shorter than 2 µm
    assert found.attrs["ring_width"] > 5e5
    assert found.attrs["interpolated"] == "False"
    rings = 1 / found["resolution"].values / found.attrs["ring_width"]
    np.testing.assert_allclose(rings, np.round(rings))
    assert PRESETS["seed"].threshold == 1 / 7


def test_seeds_make_other_splits():
    ds = blobs(sites=60)
    one, same, other = (
        resolution(ds, limits=FIELD, repeats=2, seed=seed)["correlation"].values
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one[0] != one[1]).any()


def test_one_repeat_has_no_interval():
    found = resolution(blobs(sites=100), limits=FIELD, repeats=1).compute()
    assert np.isfinite(found["resolution_mean"])
    assert np.isnan(found["resolution_low"])
    assert np.isnan(found["resolution_deviation"])


def test_over_time_each_time_is_what_was_there_before_it():
    ds = blobs(sites=100)
    ds = ds.assign_coords(tim=("localization", np.random.default_rng(0).uniform(0, 100, 4000)))
    times = [25.0, 60.0, 200.0]
    found = resolution_over_time(ds, times, limits=FIELD, repeats=3).compute()
    assert found["resolution"].dims == ("until", "repeat")
    np.testing.assert_array_equal(found["until"], times)
    for number, time in enumerate(times):
        early = ds.assign(selected=ds["tim"] < time)
        alone = resolution(early, limits=FIELD, repeats=3).compute()
        for name in ("correlation", "points", "resolution", "resolution_low", "threshold"):
            part = found[name].isel(until=number, missing_dims="ignore")
            np.testing.assert_array_equal(part, alone[name])


def test_over_time_of_a_table_and_a_number_of_times():
    ds = blobs(sites=60)
    table = ds.mfx.traces()
    found = resolution_over_time(table, 3, limits=FIELD, repeats=2)
    counts = found["points"].isel(repeat=0).sum("half").values
    assert (np.diff(counts) > 0).all()
    assert counts[-1] == 480


def test_the_record_and_the_units():
    found = resolution(blobs(sites=30), limits=FIELD, repeats=2, threshold="half-bit", seed=7)
    step = history(found.attrs)[-1]
    assert step["step"] == "resolution"
    assert step["parameters"]["seed"] == 7
    assert step["parameters"]["threshold"] == "half-bit"
    assert found["resolution"].attrs["units"] == "m"
    assert found["frequency"].attrs["units"] == "1/m"
    assert all("long_name" in found[name].attrs for name in found.data_vars)


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"split": "half"}, "split"),
        ({"repeats": 65}, "repeats"),
        ({"repeats": 0}, "repeats"),
        ({"smoothing": 4}, "odd"),
        ({"threshold": "2-bit"}, "half-bit"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"limits": 0.7}, "share"),
        ({"limits": ((0.0, 1e-6),)}, "limits"),
        ({"limits": ((0.0, 1e-8), (0.0, 1e-6))}, "smaller pixels"),
        ({"pixel": (1e-9, 1e-9, 1e-9)}, "pixel"),
        ({"pixel": 0.0}, "larger than 0"),
        ({"dimensions": 4}, "dimensions"),
        ({"preset": "matlab"}, "preset"),
        ({"seed": 1.5}, "seed"),
        ({"confidence": 95}, "confidence"),
        ({"tile": 100}, "power of two"),
    ],
)
def test_wrong_parameters(choices, told):
    with pytest.raises(ValueError, match=told):
        resolution(blobs(sites=5), **{"limits": FIELD, **choices})


def test_nothing_left():
    ds = blobs(sites=5)
    none = ds.assign(selected=ds["tid"] < 0)
    for limits in (None, 0.01):
        with pytest.raises(ValueError, match="left"):
            resolution(none, limits=limits)
    found = resolution(none, limits=FIELD, repeats=2)
    assert np.isnan(found["resolution_mean"])
    assert (found["points"] == 0).all()


@pytest.mark.parametrize("times", [[], [2.0, 1.0], [np.nan], 0])
def test_wrong_times(times):
    with pytest.raises(ValueError, match="times"):
        resolution_over_time(blobs(sites=5), times, limits=FIELD)


def test_a_split_by_trace_needs_traces():
    table = blobs(sites=5).mfx.traces().drop_vars("tid")
    with pytest.raises(ValueError, match="tid"):
        resolution(table, limits=FIELD)
    assert resolution(table, limits=FIELD, split="localization").attrs["split"] == "trace"


def test_own_settings():
    own = ResolutionSettings(repeats=2, smoothing=1, limits=FIELD)
    found = resolution(blobs(sites=60), preset=own).compute()
    np.testing.assert_array_equal(found["correlation"], found["correlation_smoothed"])
    assert found.sizes["repeat"] == 2


@pytest.mark.realdata
def test_the_figures_of_the_2d_file(data_dir):
    """Valid last iterations, all of them, not corrected for drift, pixels of 1 nm."""
    ds = mfx.open_minflux(data_dir / "minflux" / "2D_ValidOnly.npy")
    table = ds.mfx.traces().compute()
    rows = resolution(ds, split="localization").compute()
    means = resolution(table).compute()
    traces = resolution(ds, split="trace").compute()
    for found, published in ((rows, 7.0), (means, 13.9)):
        # within the interval of the mean, which is narrower than that of the runs
        assert found["resolution_low"] < published * NM < found["resolution_high"]
        runs = found["resolution"]
        assert runs.min() < published * NM < runs.max()
    # whole traces in either half tell what their means tell, and not 7 nm
    assert 12 < float(traces["resolution_mean"]) / NM < 15
    assert (rows.attrs["split"], traces.attrs["split"]) == ("localization", "trace")


@pytest.mark.realdata
def test_the_figures_of_the_seed_preset(data_dir):
    ds = mfx.open_minflux(data_dir / "minflux" / "2D_ValidOnly.npy")
    rows = resolution(ds, preset="seed", pad=True).compute()
    means = resolution(ds.mfx.traces().compute(), preset="seed", pad=True).compute()
    assert float(rows["resolution_mean"]) / NM == pytest.approx(7.0, abs=0.2)
    assert float(means["resolution_mean"]) / NM == pytest.approx(13.9, abs=0.5)
