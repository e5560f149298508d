"""Precision of localizations and traces against numpy on the same rows, and against the truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.chunked import trace_rows
from mfxarray.chunked import traces as chunked_traces
from mfxarray.kernels.traces import crb
from mfxarray.minflux.filtering.filters import filter_localizations
from mfxarray.minflux.traces.aggregation import aggregate
from mfxarray.minflux.traces.precision import (
    Pattern,
    axial_bound,
    lateral_bound,
    localization_bounds,
    signal_to_background,
    trace_precision,
)
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.samples import four_chunkings, localization_file

LATERAL, AXIAL, FWHM = Pattern(40e-9, iteration=8), Pattern(60e-9, iteration=9), 300e-9
SETTINGS = {"lateral": LATERAL, "axial": AXIAL, "fwhm": FWHM}


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("p")), chunk_bytes=300_000)


def from_rows(*walks, tid=None):
    """Return a Dataset without iterations whose traces are the given positions."""
    xyz = np.concatenate([np.asarray(walk, float) for walk in walks])
    numbers = np.repeat(np.arange(len(walks)), [len(walk) for walk in walks])
    return xr.Dataset(
        {"position": (("localization", "axis"), xyz)},
        {
            "tid": ("localization", numbers if tid is None else tid),
            "tim": ("localization", np.arange(len(xyz), dtype=float)),
        },
    ).chunk(localization=max(len(xyz) // 7, 4))


def plain_bounds(ds):
    """The bounds of the fixture by the formulas in numpy."""
    found = {}
    for name, number in (("lateral", 8), ("axial", 9)):
        n, efo, fbg = (ds[field][:, number].values.astype(float) for field in ("eco", "efo", "fbg"))
        sbr = (efo - fbg) / fbg
        sbr[~((fbg > 0) & (efo > fbg))] = np.nan
        n[~np.isfinite(ds["position"][:, number].values).all(axis=1) | (n <= 0)] = np.nan
        if name == "lateral":
            scale = 40e-9 / (2 * np.sqrt(2 * n)) / (1 - (40 / 300) ** 2 * np.log(2))
            found[name] = scale * np.sqrt((1 + 1 / sbr) * (1 + 0.75 / sbr))
        else:
            found[name] = 60e-9 / (4 * np.sqrt(n)) * np.sqrt((1 + 1 / sbr) * (1 + 2 / 3 / sbr))
    return found


def test_bounds_of_arrays():
    n = xr.DataArray([500, 500, 0], dims="localization").chunk(localization=2)
    sbr = xr.DataArray([5.0, 2.0, 1.0], dims="localization")
    with raise_if_computes():
        found = lateral_bound(n, 50e-9, 300e-9, sbr)
        plain = lateral_bound(n, 50e-9, 300e-9)
        axial = axial_bound(n, 50e-9, sbr)
    np.testing.assert_array_equal(np.round(found.values[:2] * 1e9, 4), [0.9469, 1.1577])
    assert round(float(plain[0]) * 1e9, 4) == 0.8061
    np.testing.assert_array_equal(axial, crb.axial_bound([500, 500, 0], 50e-9, sbr.values))
    assert np.isnan(found[2])
    for result in (found, plain, axial):
        assert result.attrs["units"] == "m"
    step = history(plain.attrs)[-1]
    assert step["step"] == "lateral_bound"
    assert step["parameters"] == {"pattern_size": 50e-9, "fwhm": 300e-9, "sbr": "inf"}


def test_ratio_of_arrays(ds):
    efo, fbg = ds["efo"][:, 9], ds["fbg"][:, 9]
    with raise_if_computes():
        found = signal_to_background(efo, fbg)
    wanted = np.where(efo > fbg, (efo - fbg) / fbg, np.nan)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.attrs["units"] == "1"


def test_bounds_of_localizations(ds):
    found, wanted = localization_bounds(ds, **SETTINGS), plain_bounds(ds)
    for name, values in wanted.items():
        variable = found[f"bound_{name}"]
        np.testing.assert_allclose(variable, values, rtol=1e-12)
        assert np.isfinite(values).mean() > 0.5
        assert variable.attrs["units"] == "m"
    assert set(found.coords) >= {"tid", "tim"}
    told = history(found.attrs)[-1]
    assert told["step"] == "localization_bounds"
    assert told["parameters"]["axial"] == {"size": 60e-9, "iteration": 9, "photons": "eco"}
    assert "Infinity" not in json.dumps(
        history(localization_bounds(ds, lateral=LATERAL, fwhm=FWHM, sbr=math.inf).attrs)
    )


def test_ratio_and_photons_that_are_given(ds):
    ratio = ds["tim"] * 0 + 3.0
    number = localization_bounds(ds, lateral=LATERAL, fwhm=FWHM, sbr=3.0)
    each = localization_bounds(ds, lateral=LATERAL, fwhm=FWHM, sbr=ratio)
    np.testing.assert_array_equal(number["bound_lateral"], each["bound_lateral"])
    assert "bound_axial" not in number
    counts = ds.mfx.photons("last")
    pattern = Pattern(40e-9, photons=counts)
    found = localization_bounds(ds, lateral=pattern, fwhm=FWHM, sbr=math.inf)
    wanted = lateral_bound(counts, 40e-9, FWHM)
    np.testing.assert_array_equal(found["bound_lateral"], wanted)


def test_counts_of_what_was_not_executed_do_not_matter(ds):
    eco = ds["eco"].where(np.isfinite(ds["position"]).all("axis"), 77)
    short = ds.assign(position=ds["position"].where(ds["iteration"] != 8))
    assert np.isnan(localization_bounds(short, **SETTINGS)["bound_lateral"]).all()
    assert_same_bits(
        localization_bounds(ds.assign(eco=eco), **SETTINGS).compute(),
        localization_bounds(ds, **SETTINGS).compute(),
    )


def test_background_that_was_not_measured_is_not_invented(ds):
    for value in (0.0, 1e9, np.nan):
        found = localization_bounds(ds.assign(fbg=ds["fbg"] * 0 + value), **SETTINGS)
        assert np.isnan(found["bound_lateral"]).all()


def test_points_without_iterations(ds):
    points = aggregate(ds, 700, count="last").compute()
    found = localization_bounds(points.chunk(localization=50), lateral=Pattern(40e-9), fwhm=FWHM)
    sbr = crb.signal_to_background(points["efo"], points["fbg"])
    wanted = crb.lateral_bound(points["eco"], 40e-9, FWHM, sbr)
    np.testing.assert_array_equal(found["bound_lateral"], wanted)


def test_traces_of_the_specification():
    five = np.arange(5.0)[:, None]
    found = trace_precision(from_rows(five * [2, 0, 0], five * [0, 3, 0])).compute()
    np.testing.assert_allclose(found["spread_lateral"], np.sqrt([5, 11.25]), rtol=1e-12)
    assert float(found["standard_error_lateral"].mean()) == pytest.approx(1.25, rel=1e-12)
    # both are ramps, whose means are known worse than that
    assert (found["standard_error_effective_lateral"] > found["standard_error_lateral"]).all()
    assert np.isnan(found["n_effective"][:, 2]).all()


def test_traces_equal_numpy(ds, monkeypatch):
    for module in (trace_rows, chunked_traces):
        monkeypatch.setattr(module, "TABLE_ROWS", 40)
    data = filter_localizations(ds, bounds={"efo": (15_000, None)})
    found = trace_precision(data, localization_bounds(data, **SETTINGS))
    assert len(found.chunks["trace"]) > 1
    found, bounds = found.compute(), plain_bounds(ds)
    assert_same_bits(found[["n", "spread"]], traces(data).compute()[["n", "spread"]])
    xyz = ds["position"][:, -1].values
    used = data["selected"].values & ds["vld"].values & np.isfinite(xyz).all(axis=1)
    for place, tid in enumerate(found["tid"].values):
        rows = np.flatnonzero(used & (ds["tid"].values == tid))
        one = found.isel(trace=place)
        numbers = crb.effective_numbers(xyz[rows], np.zeros(1, np.int64))[0]
        np.testing.assert_array_equal(one["n_effective"], numbers)
        if len(rows) < 2:
            assert np.isnan(one["standard_error_effective"]).all()
            continue
        sigma = (xyz[rows] - xyz[rows[0]]).std(axis=0, ddof=1)
        error = sigma / np.sqrt(numbers)
        np.testing.assert_allclose(one["standard_error_effective"], error, rtol=1e-12)
        lateral = np.sqrt((sigma[:2] ** 2).mean())
        np.testing.assert_allclose(one["spread_lateral"], lateral, rtol=1e-12)
        wanted = np.sqrt((error[:2] ** 2).mean())
        np.testing.assert_allclose(one["standard_error_effective_lateral"], wanted, rtol=1e-12)
        for name, reached in (("lateral", lateral), ("axial", sigma[2])):
            known = bounds[name][rows][np.isfinite(bounds[name][rows])]
            assert one[f"n_bound_{name}"] == len(known)
            if len(known):
                bound = np.sqrt((known**2).mean())
                np.testing.assert_allclose(one[f"bound_{name}"], bound, rtol=1e-12)
                excess = max(reached**2 - bound**2, 0)
                room = 1e-12 * reached**2
                np.testing.assert_allclose(one[f"excess_{name}"] ** 2, excess, atol=room)
            else:
                assert np.isnan(one[f"excess_{name}"])


def test_units_and_record(ds):
    found = trace_precision(ds, localization_bounds(ds, **SETTINGS), ddof=0)
    for name, variable in found.data_vars.items():
        assert variable.attrs["long_name"]
        meters = ("bound", "excess", "spread", "standard_error")
        if name.startswith(meters):
            assert variable.attrs["units"] == "m"
    last = history(found.attrs)[-1]
    assert (last["step"], last["parameters"]) == ("trace_precision", {"ddof": 0})
    assert last["others"]["bounds"][-1]["step"] == "localization_bounds"
    assert found["n_bound_lateral"].dtype == np.int64


def test_conventions_of_the_seed_reach_the_errors():
    data = from_rows(np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(4, 3) ** 2)
    found = trace_precision(data, ddof="matlab").compute()
    assert np.isnan(found["standard_error_effective"][0]).all()
    assert np.isfinite(found["standard_error_effective"][1]).all()
    found = trace_precision(from_rows(np.ones((1, 3))), ddof="python").compute()
    np.testing.assert_array_equal(found["standard_error_effective"], np.zeros((1, 3)))


def test_independent_errors_are_covered_and_a_drift_is_told():
    rng = np.random.default_rng(5)
    still = rng.normal(0, 2e-9, (200, 50, 3))
    moving = still + 20e-9 * np.linspace(-1, 1, 50)[:, None]
    found = trace_precision(from_rows(*still)).compute()
    # the truth is 0 in all of them
    pulls = (found["centroid"] / found["standard_error_effective"]).values
    assert 0.85 < pulls.std() < 1.05
    found = trace_precision(from_rows(*moving)).compute()
    assert float(found["n_effective"].max()) < 10


def test_excess_is_what_was_added():
    rng = np.random.default_rng(6)
    n, size = 100, 50e-9
    bound = float(crb.lateral_bound(n, size, FWHM))
    walks = rng.normal(0, math.hypot(bound, 3e-9), (4, 5000, 3))
    data = from_rows(*walks).assign(eco=("localization", np.full(20_000, n)))
    bounds = localization_bounds(data, lateral=Pattern(size), fwhm=FWHM, sbr=math.inf)
    found = trace_precision(data.chunk(localization=7000), bounds)
    np.testing.assert_allclose(found["excess_lateral"], 3e-9, rtol=0.05)


def test_every_chunking_gives_the_same(ds):
    chunkings = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: localization_bounds(data, **SETTINGS), chunkings)
    assert_chunk_invariant(
        lambda data: trace_precision(data, localization_bounds(data, **SETTINGS)), chunkings
    )


def test_traces_that_come_back_and_rows_out_of_order(ds):
    plain = ds.compute()
    order = np.random.default_rng(1).permutation(ds.sizes["localization"])
    mixed = plain.isel(localization=order).chunk(localization=400)
    one, two = (
        trace_precision(data, localization_bounds(data, **SETTINGS)).compute().sortby("tid")
        for data in (ds, mixed)
    )
    names = ["n_effective", "bound_lateral", "n_bound_axial"]
    assert_same_bits(one[names], two[names])


def test_same_ids_in_two_washes(ds):
    wash = (np.arange(ds.sizes["localization"]) >= 1500).astype("i4")
    found = trace_precision(ds.assign(wash=("localization", wash))).compute()
    assert set(found["wash"].values) == {0, 1}
    assert found.sizes["trace"] == len(
        set(zip(found["wash"].values, found["tid"].values, strict=True))
    )


def test_lazy_once_counted(ds):
    traces(ds)
    with raise_if_computes():
        found = trace_precision(ds, localization_bounds(ds, **SETTINGS))
    assert found["n_effective"].chunks is not None


def test_nothing_left(ds):
    none = filter_localizations(ds, bounds={"efo": (1e12, None)})
    found = trace_precision(none, localization_bounds(none, **SETTINGS))
    assert found.compute().sizes["trace"] == 0


def test_what_cannot_be(ds):
    cases = [
        ({"lateral": Pattern(40e-9)}, "iteration must be one of"),
        ({"lateral": Pattern(40e-9, iteration=10)}, "iteration must be one of"),
        ({"lateral": Pattern(-1.0, iteration=8)}, "pattern_size"),
        ({"axial": Pattern(0.0, iteration=9)}, "pattern_size"),
        ({"fwhm": 30e-9}, "pattern_size must be below"),
        ({"sbr": 0.0}, "sbr must be above"),
        ({"sbr": math.nan}, "sbr must be above"),
        ({"sbr": ds["fbg"]}, "one number a localization"),
        ({"lateral": Pattern(40e-9, photons=ds["eco"]), "sbr": 1.0}, "one number a localization"),
    ]
    for changed, message in cases:
        with pytest.raises(ValueError, match=message):
            localization_bounds(ds, **{**SETTINGS, **changed})
    with pytest.raises(ValueError, match="needs 'fbg'"):
        localization_bounds(ds.drop_vars("fbg"), **SETTINGS)
    with pytest.raises(ValueError, match="result of localization_bounds"):
        trace_precision(ds, ds)
    with pytest.raises(ValueError, match="result of localization_bounds"):
        trace_precision(ds, localization_bounds(ds, **SETTINGS).isel(localization=slice(9)))
    with pytest.raises(ValueError, match="ddof"):
        trace_precision(ds, ddof=3)
