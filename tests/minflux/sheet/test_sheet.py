"""The statistics sheet against numpy and pandas on the same records."""

from __future__ import annotations

import json
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.minflux.beads.washes import concatenate_washes
from mfxarray.minflux.drift.correction import correct_drift
from mfxarray.minflux.drift.estimate import estimate_drift
from mfxarray.minflux.sheet.settings import SHEETS
from mfxarray.minflux.sheet.sheet import statistics
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, count_computes
from tests.minflux.drift_samples import drifting
from tests.minflux.sheet_reference import NM, check, reference
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("sheet"))


@pytest.fixture(scope="module")
def ds(path):
    return mfx.open_minflux(path, chunk_bytes=300_000)


@pytest.fixture(scope="module")
def sheet(ds):
    return statistics(ds, drift=False).compute()


def walks(*traces, fields=(), wash=None):
    """Return a Dataset of traces given as (tid, times, positions in nm)."""
    tid = np.repeat([one[0] for one in traces], [len(one[1]) for one in traces])
    position = np.concatenate([np.asarray(one[2], float).reshape(-1, 3) for one in traces]) * NM
    coords = {
        "tid": ("localization", tid.astype(np.int32)),
        "tim": ("localization", np.concatenate([np.asarray(one[1], float) for one in traces])),
        "axis": ["x", "y", "z"],
    }
    if wash is not None:
        coords["wash"] = ("localization", np.asarray(wash, np.int32))
    found = {"position": (("localization", "axis"), position)}
    found |= {name: ("localization", np.asarray(values, float)) for name, values in fields}
    return xr.Dataset(found, coords).chunk(localization=4)


def standing(tid, first, n, step=0.1, z=0.0):
    """Return a trace that stays where it is."""
    return tid, first + step * np.arange(n), np.tile([100.0 * tid, 50.0, z], (n, 1))


def test_against_numpy(path, ds, sheet):
    values, totals, rows = reference(np.load(path))
    assert ds.chunks["localization"][0] < ds.sizes["localization"]
    assert 0.9 < totals["fraction_valid"] < 1.0
    check(sheet, values, totals)
    wanted = np.quantile(rows[["x", "y", "z"]], (0.01, 0.99), axis=0, method="hazen").T
    np.testing.assert_allclose(sheet["quantile_range"], wanted, rtol=1e-12)


def test_the_picture(path, sheet):
    _, _, rows = reference(np.load(path))
    image, step = sheet["image"], sheet["image"].attrs["pixel_m"]
    edges = [
        np.append(image[f"image_{name}"] - step / 2, image[f"image_{name}"][-1] + step / 2)
        for name in "yx"
    ]
    inside = np.histogram2d(rows["y"], rows["x"], edges)[0]
    # a position within rounding of an edge may fall on either side of it
    assert np.abs(image.values - inside).sum() <= 2
    for name, side in zip("yx", edges, strict=True):
        low, high = np.quantile(rows[name], (0.02, 0.98), method="hazen") / NM
        np.testing.assert_allclose(side[0] / NM, np.floor(low / 100) * 100, atol=1e-6)
        np.testing.assert_allclose(side[-1] / NM, np.ceil(high / 100) * 100, atol=1e-6)
    assert max(image.shape) <= 1000
    assert round(step / NM) in (5, 10)


def test_a_small_field_has_pixels_of_1_nm():
    found = statistics(walks(standing(1, 0.0, 6), standing(4, 9.0, 6)), drift=False)
    assert found["image"].attrs["pixel_m"] == NM
    assert int(found["image"].sum()) == 12


def test_of_2d_data_there_is_no_z(tmp_path):
    path = localization_file(tmp_path, dimensions=2, localizations=800)
    found = statistics(mfx.open_minflux(path), drift=False).compute()
    values, totals, _ = reference(np.load(path))
    check(found, values, totals)
    assert int(found["dimensions"]) == 2
    for name in ("sigma_z", "standard_error_z", "standard_error_xyz"):
        assert np.isnan(found[f"{name}_median"])
        assert int(found[f"{name}_count"]) == 0
    assert found.attrs["notes"][-1:] != ["cfr: not measured"]


@pytest.mark.parametrize("step", [1.0, 1.5])
def test_3d_begins_above_1_nm(step):
    low = standing(1, 0.0, 50)
    high = standing(2, 90.0, 50, z=step)
    found = statistics(walks(low, high), drift=False)
    assert int(found["dimensions"]) == (3 if step > 1 else 2)


def test_paint21(path, ds):
    found = statistics(ds, preset="paint21", drift=False).compute()
    values, totals, _ = reference(np.load(path), least_error=2, per_axis=False)
    check(found, values, totals)
    np.testing.assert_allclose(found["fbg_edge"], np.arange(31) * 1e3)
    np.testing.assert_allclose(found["cfr_edge"], np.arange(31) * 0.05, atol=1e-15)
    np.testing.assert_allclose(found["t_loc_edge"], np.arange(27) * 0.3, atol=1e-15)
    np.testing.assert_allclose(found["sigma_r_edge"] / NM, np.arange(31) * 0.5, atol=1e-12)


def test_edges_of_the_seed(sheet):
    for name, step, last in (
        ("fbg", 2e3, 6e4),
        ("t_scan", 0.2, 10),
        ("t_loc", 0.1, 6),
        ("localizations_per_trace", 1, 50),
        ("sigma_z", 0.5 * NM, 20 * NM),
        ("standard_error_z", 0.5 * NM, 10 * NM),
    ):
        wanted = np.arange(round(last / step) + 1) * step
        np.testing.assert_allclose(sheet[f"{name}_edge"], wanted, rtol=1e-12)
    np.testing.assert_allclose(sheet["cfr_edge"], -0.5 + np.arange(41) * 0.05, atol=1e-14)


def test_conventions(ds, path):
    found = statistics(ds, ddof="python", drift=False).compute()
    values, _, _ = reference(np.load(path))
    n = values["localizations_per_trace"]
    # 0 instead of 1 is taken from n in the variance
    wanted = np.median(values["sigma_x"] * np.sqrt((n[n >= 5] - 1) / n[n >= 5]))
    np.testing.assert_allclose(found["sigma_x_median"], wanted, rtol=1e-12)
    matlab = statistics(ds, ddof="matlab", drift=False).compute()
    assert_same_bits(matlab, statistics(ds, drift=False).compute())


def test_times_go_by_time_not_by_id():
    traces = [standing(tid, first, 6) for tid, first in ((7, 0.0), (2, 5.0), (9, 11.0), (1, 14.0))]
    found = statistics(walks(*traces), drift=False)
    gaps = np.array([4.5, 5.5, 2.5])
    assert int(found["t_scan_count"]) == 3
    np.testing.assert_allclose(found["t_scan_median"], np.median(gaps))
    np.testing.assert_array_equal(
        found["t_scan_histogram"], np.histogram(gaps, found["t_scan_edge"])[0]
    )
    np.testing.assert_allclose(found["event_rate"], 4 / 14.5)


def test_that_overlap_is_no_negative_time():
    # the second trace begins before the first ends
    first, second, third = standing(1, 0.0, 31), standing(2, 1.0, 40), standing(3, 7.0, 5)
    found = statistics(walks(first, second, third), drift=False)
    assert int(found["t_scan_count"]) == 1
    np.testing.assert_allclose(found["t_scan_median"], 7.0 - 4.9)


def test_that_errors_stay_with_their_traces():
    rng = np.random.default_rng(3)
    lengths = [1, 2, 3, 4, 5, 2, 9]
    traces = [
        (tid, 10.0 * tid + np.arange(n) * 0.1, rng.normal(0, 3, (n, 3)) + 200 * tid)
        for tid, n in enumerate(lengths, start=1)
    ]
    found = statistics(walks(*traces), drift=False).compute()
    errors = [
        np.sqrt(positions[:, :2].var(axis=0, ddof=1).sum() / 2 / len(positions))
        for _, _, positions in traces
        if len(positions) >= 3
    ]
    assert int(found["standard_error_r_count"]) == 4
    np.testing.assert_allclose(found["standard_error_r_median"] / NM, np.median(errors), rtol=1e-9)
    assert int(found["sigma_r_count"]) == 2
    assert int(found["sigma_x_histogram"].sum()) == 2


def test_washes(tmp_path):
    parts, references = [], []
    for wash in (0, 1):
        path = tmp_path / f"{wash}.npy"
        mfx.simulate_minflux(path, localizations=1200, seed=5, wash=wash)
        parts.append(mfx.open_minflux(path, chunk_bytes=200_000))
        references.append(reference(np.load(path)))
    assert np.intersect1d(parts[0]["tid"], parts[1]["tid"]).size
    joined = concatenate_washes([one.mfx.last_iteration() for one in parts])
    found = statistics(joined).compute()
    values = {
        name: np.concatenate([one[0][name] for one in references]) for name in references[0][0]
    }
    totals = {
        name: sum(one[1][name] for one in references)
        for name in ("localizations", "traces", "duration")
    }
    check(found, values, totals, skip=("cfr",))
    assert "drift: not looked for, there are several washes" in found.attrs["notes"]
    # an offset of times between washes changes nothing within them
    later = concatenate_washes([one.mfx.last_iteration() for one in parts], [0.0, 5e4])
    again = statistics(later).compute()
    np.testing.assert_allclose(again["duration"], totals["duration"], rtol=1e-9)
    assert int(again["t_scan_count"]) == int(found["t_scan_count"])


def test_cfr_is_of_the_last_measured_iteration(path, ds, sheet):
    raw = np.load(path)
    efc = raw["itr"]["efc"]
    place = np.flatnonzero(np.isfinite(efc).mean(axis=0) > 0.5)[-1]
    assert place < efc.shape[1] - 1
    assert sheet["cfr_median"].attrs["iteration"] == place
    assert f"cfr: of iteration {place}, not measured later" in sheet.attrs["notes"]


def test_half_is_not_enough_and_infinity_is_no_value():
    rows = np.arange(40)
    efc, efo = np.full((40, 3), 5.0), np.full((40, 3), 10.0)
    efc[rows < 20, 2] = np.nan  # just half are missing
    efo[rows < 19, 1] = np.inf
    efc[19:21, 1], efo[20, 1] = -np.inf, 0.0
    efc[21:, 1] = 4.0 + rows[21:] / 10
    data = walks(standing(1, 0.0, 20), standing(2, 9.0, 20))
    fields = {
        "efc": (("localization", "iteration"), efc),
        "efo": (("localization", "iteration"), efo),
    }
    data = data.assign(fields).assign_coords(iteration=[0, 4, 9]).chunk(localization=7)
    found = statistics(data, drift=False).compute()
    assert found["cfr_median"].attrs["iteration"] == 4
    wanted = (4.0 + rows[21:] / 10) / 10
    assert int(found["cfr_count"]) == len(wanted)
    np.testing.assert_allclose(found["cfr_median"], np.median(wanted), rtol=1e-12)


def test_cfr_as_stored_where_there_are_no_frequencies(ds, path):
    one = ds.mfx.last_iteration()
    found = statistics(one, drift=False).compute()
    kept = np.load(path)["vld"]
    stored = ds["cfr"].values[kept, ds.attrs["cfr_iteration"]]
    np.testing.assert_allclose(
        found["cfr_median"], np.median(stored[stored != -1 / 32768]), rtol=1e-6
    )
    assert any(note.startswith("cfr: as stored") for note in found.attrs["notes"])
    without = statistics(one.drop_vars("cfr"), drift=False).compute()
    assert np.isnan(without["cfr_median"])
    assert "cfr: not measured" in without.attrs["notes"]


def test_few_fields():
    found = statistics(walks(standing(1, 0.0, 5)), drift=False).compute()
    assert np.isnan(found["fbg_median"])
    assert np.isnan(found["t_scan_median"])
    assert np.isnan(found["fraction_valid"])
    assert "fraction valid: not known, the data do not tell" in found.attrs["notes"]
    single = statistics(walks(standing(1, 3.0, 1)), drift=False).compute()
    assert float(single["duration"]) == 0.0
    assert np.isnan(single["event_rate"])
    assert float(single["localizations_per_trace_mean"]) == 1.0


def test_that_values_which_are_not_numbers_count_nowhere():
    fbg = [1e3, np.nan, 3e3, np.inf, -np.inf, 6e4, 6.1e4, -1.0]
    found = statistics(walks(standing(1, 0.0, 8), fields=[("fbg", fbg)]), drift=False).compute()
    assert int(found["fbg_count"]) == 5
    assert float(found["fbg_median"]) == 3e3
    assert int(found["fbg_histogram"].sum()) == 3
    assert int(found["fbg_histogram"][-1]) == 1


def test_filters_and_what_was_dropped(ds, path):
    masked = ds.mfx.filter(efo=(2e4, None))
    found = statistics(masked, drift=False).compute()
    raw = np.load(path)
    bright = raw["vld"] & (raw["itr"]["efo"][:, -1] >= 2e4)
    assert int(found["localizations"]) == bright.sum()
    np.testing.assert_allclose(found["fraction_valid"], raw["vld"].mean(), rtol=1e-12)
    dropped = statistics(masked.mfx.compact(), drift=False).compute()
    assert np.isnan(dropped["fraction_valid"])
    assert any("were left out before" in note for note in dropped.attrs["notes"])
    for name in ("sigma_x_median", "t_scan_median", "fbg_histogram", "image"):
        np.testing.assert_array_equal(dropped[name], found[name])


def test_lazy_after_the_survey(ds):
    counted = ds.mfx.filter().mfx.compact()
    with count_computes() as computes:
        found = statistics(counted, drift=False)
    assert len(computes) == 1
    for name in ("fbg_median", "sigma_x_histogram", "t_scan_median", "duration", "image"):
        assert isinstance(found[name].data, da.Array), name
    again = statistics(ds, drift=False)
    assert isinstance(again["fraction_valid"].data, da.Array)


def test_the_same_bits_for_every_chunking(ds):
    cut = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: statistics(data, drift=False), cut)
    assert_chunk_invariant(lambda data: statistics(data, drift="seed"), cut)


def test_the_same_bits_for_every_scheduler(ds):
    first = statistics(ds, drift=False).compute(scheduler="sync")
    for workers in (2, 4):
        found = statistics(ds, drift=False).compute(scheduler="threads", num_workers=workers)
        assert_same_bits(first, found)


@pytest.fixture(scope="module")
def moving():
    return drifting(traces=1500, field_um=2.0, chunks=3000, span=4000.0)


def test_drift(moving):
    data, truth = moving
    found = statistics(data).compute()
    error = found["drift"].values - truth(found["drift_time"].values)
    error -= error.mean(axis=0)
    assert np.abs(error[:, :2]).max() < 6 * NM
    np.testing.assert_allclose(found["drift_span"], np.ptp(found["drift"].values, axis=0))
    assert int(found["drift_windows"]) >= 3
    assert float(found["drift_residual"].max()) < 5 * NM
    known = estimate_drift(data, uncertainty=False)
    given = statistics(data, drift=known).compute()
    assert_same_bits(found, given)
    # what is drawn is without drift, so it is sharper
    plain = statistics(data, drift=False).compute()
    assert int(found["image"].max()) > 1.5 * int(plain["image"].max())
    assert "drift" not in plain
    assert plain.attrs["notes"][0] == "drift: not looked for"
    # a trace is short, so its spread is what it was
    np.testing.assert_allclose(found["sigma_x_median"], plain["sigma_x_median"], rtol=1e-3)
    assert [step["step"] for step in history(found.attrs)] == ["statistics"]
    assert history(found.attrs)[-1]["others"]["drift"][-1]["step"] == "estimate_drift"


def test_presets_have_their_drift(moving):
    data, _ = moving
    for preset in ("seed", "paint21"):
        found = statistics(data, preset=preset)
        same = estimate_drift(data, preset=preset, uncertainty=False)
        np.testing.assert_array_equal(found["drift"], same["drift"])
        assert history(found.attrs)[-1]["parameters"]["preset"] == preset
    named = statistics(data, drift="paint21")
    np.testing.assert_array_equal(named["drift"], found["drift"])


def test_a_drift_that_cannot_be_found_is_said():
    data = walks(standing(1, 0.0, 6), standing(2, 3.0, 6))
    found = statistics(data).compute()
    assert found.attrs["notes"][0].startswith("drift: not found, ")
    assert "drift" not in found
    assert np.isnan(found["drift_span"]).all()
    assert int(found["drift_windows"]) == 0
    assert int(found["localizations"]) == 12


def test_a_drift_is_subtracted_once(moving):
    data, _ = moving
    known = estimate_drift(data, uncertainty=False)
    wanted = statistics(data, drift=known).compute()
    for replaced in (True, False):
        found = statistics(correct_drift(data, known, replace=replaced)).compute()
        assert "drift: subtracted before" in found.attrs["notes"]
        for name in ("image", "sigma_x_median", "quantile_range"):
            np.testing.assert_array_equal(found[name], wanted[name])
        with pytest.raises(ValueError, match="leave drift= out"):
            statistics(correct_drift(data, known, replace=replaced), drift="seed")


def test_registered_positions_are_those_told_of():
    data = walks(standing(1, 0.0, 6), standing(2, 3.0, 6))
    moved = data.assign(position_registered=data["position"] + 5e-6)
    found = statistics(moved, drift=False).compute()
    plain = statistics(data, drift=False).compute()
    np.testing.assert_allclose(found["quantile_range"], plain["quantile_range"] + 5e-6)
    assert "positions: position_registered" in found.attrs["notes"]
    both = moved.assign(position_drift_corrected=data["position"])
    with pytest.raises(ValueError, match="which positions"):
        statistics(both, drift=False)


def test_frc(ds, sheet):
    frequency = np.linspace(0, 2e8, 5)
    curves = np.stack([1 - frequency / 2e8, 1 - frequency / 4e8])
    frc = xr.Dataset(
        {
            "resolution": ("repeat", [7e-9, 8e-9]),
            "correlation": (("repeat", "frequency"), curves),
            "threshold": ("frequency", np.full(5, 1 / 7)),
        },
        {"frequency": ("frequency", frequency, {"units": "1/m"})},
        {"provenance": '[{"step": "resolution"}]'},
    )
    found = statistics(ds, drift=False, frc=frc).compute()
    np.testing.assert_allclose(found["frc_resolution"], 7.5e-9)
    np.testing.assert_allclose(found["frc"], curves.mean(axis=0))
    np.testing.assert_array_equal(found["frc_threshold"], frc["threshold"])
    assert np.isnan(found["frc_combined_resolution"])
    assert "frc_combined" not in found
    assert found["frc_frequency"].attrs["units"] == "1/m"
    others = history(found.attrs)[-1]["others"]
    assert others == {"localizations": [{"step": "resolution"}]}
    assert np.isnan(sheet["frc_resolution"])
    assert "frc=" in sheet["frc_resolution"].attrs["note"]


def test_frc_of_both_on_their_own_frequencies(ds):
    few = xr.Dataset({"resolution": 1.3e-8}, {"frequency": ("frequency", [0.0, 1e8])})
    few["correlation_smoothed"] = ("frequency", [1.0, 0.1])
    few["correlation"] = ("frequency", [1.0, 0.7])
    many = xr.Dataset({"resolution": 7e-9}, {"frequency": ("frequency", [0.0, 1e8, 2e8])})
    many["correlation"] = ("frequency", [1.0, 0.5, 0.1])
    both = {"localizations": many.chunk(), "combined": few.chunk()}
    found = statistics(ds, drift=False, frc=both).compute()
    assert float(found["frc_combined_resolution"]) == 1.3e-8
    np.testing.assert_array_equal(found["frc"], [1.0, 0.5, 0.1])
    np.testing.assert_array_equal(found["frc_combined"], [1.0, 0.1])
    with pytest.raises(ValueError, match="frc is given of"):
        statistics(ds, drift=False, frc={"both": few})
    with pytest.raises(ValueError, match="frc must have"):
        statistics(ds, drift=False, frc=xr.Dataset())


def test_units_and_record(sheet):
    for name in sheet.variables:
        if not str(name).endswith("_bin") and name != "axis":
            assert sheet[name].attrs["units"], name
            assert sheet[name].attrs["long_name"], name
    step = history(sheet.attrs)[-1]
    assert step["parameters"] == {"preset": "default", "ddof": 1, "drift": False}
    json.dumps(sheet.attrs["notes"])


def test_own_settings(ds, sheet):
    own = replace(SHEETS["default"], least_spread=10)
    found = statistics(ds, preset=own, drift=False).compute()
    assert int(found["sigma_x_count"]) < int(sheet["sigma_x_count"])
    assert history(found.attrs)[-1]["parameters"]["preset"] == "own"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "best"}, "preset must be one of"),
        ({"drift": "best"}, "drift must be one of"),
        ({"drift": True}, "drift must be a result"),
        ({"drift": 3}, "drift must be a result"),
        ({"ddof": 2}, "ddof must be"),
        ({"drift": xr.Dataset()}, "no drift"),
    ],
)
def test_wrong_parameters(ds, parameters, message):
    with pytest.raises(ValueError, match=message):
        statistics(ds, **{"drift": False, **parameters})


def test_nothing_left(ds):
    with pytest.raises(ValueError, match="no localization is left"):
        statistics(ds.mfx.filter(efo=(1e12, None)), drift=False)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D", "3D"])
def test_real_files(data_dir, name):
    path = data_dir / "minflux" / f"{name}_ValidOnly.npy"
    found = statistics(mfx.open_minflux(path, chunk_bytes=1_000_000), drift=False).compute()
    values, totals, _ = reference(np.load(path))
    check(found, values, totals)
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[path.name]
    assert totals["localizations"] == facts["n_valid"]
    assert int(found["traces"]) == facts["n_traces_valid"]
    assert int(found["dimensions"]) == int(name[0])
    times = facts["tim"]
    np.testing.assert_allclose(found["duration"], times["max"] - times["min"], rtol=1e-12)
    # nothing was published of these files; the values were found with the reference above
    known = {"2D": (3000.375, 0.35939, 4.49091), "3D": (5000.0, 0.35632, 5.76565)}[name]
    for one, wanted in zip(("fbg", "cfr", "t_scan"), known, strict=True):
        np.testing.assert_allclose(found[f"{one}_median"], wanted, rtol=1e-5)
    spreads = {"2D": (3.17496, 2.57660), "3D": (6.25276, 5.91853)}[name]
    for axis, wanted in zip("xy", spreads, strict=True):
        np.testing.assert_allclose(found[f"sigma_{axis}_median"] / NM, wanted, rtol=2e-4)
