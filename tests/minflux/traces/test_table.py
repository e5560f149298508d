"""The trace table against pandas and against the truth of the simulator."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.minflux.traces.table import traces
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import (
    assert_chunk_invariant,
    assert_same_bits,
    count_computes,
    raise_if_computes,
)
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def truth_and_data(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "run.npy"
    truth = mfx.simulate_minflux(path, localizations=6000, seed=2, precision_m=3e-9)
    return truth, mfx.open_minflux(path, chunk_bytes=500_000)


def frame_of(ds):
    position = ds["position"][:, -1].values
    frame = pd.DataFrame({"x": position[:, 0], "y": position[:, 1], "z": position[:, 2]})
    frame["t"], frame["tid"] = ds["tim"].values, ds["tid"].values
    return frame.dropna()


@pytest.mark.parametrize("ddof", [0, 1])
def test_equals_pandas(truth_and_data, ddof):
    _, ds = truth_and_data
    table = ds.mfx.traces(ddof=ddof).compute()
    groups = frame_of(ds).groupby("tid", sort=False)
    assert table["tid"].values.tolist() == list(groups.size().index)
    np.testing.assert_array_equal(table["n"], groups.size())
    np.testing.assert_allclose(table["centroid"], groups[["x", "y", "z"]].mean(), rtol=1e-14)
    spread = groups[["x", "y", "z"]].std(ddof=ddof)
    np.testing.assert_allclose(table["spread"], spread, rtol=1e-5, atol=1e-20)
    np.testing.assert_array_equal(table["start"], groups["t"].min())
    np.testing.assert_array_equal(table["end"], groups["t"].max())
    np.testing.assert_allclose(table["mean_time"], groups["t"].mean(), rtol=1e-14)


def test_the_simulated_precision_comes_back(truth_and_data):
    truth, ds = truth_and_data
    table = ds.mfx.traces().compute()
    degrees = table["n"] - 1
    pooled = np.sqrt((table["spread"] ** 2 * degrees).sum("trace") / degrees.sum("trace"))
    np.testing.assert_allclose(pooled, truth.precision_m, rtol=0.05)
    used = truth.trace_valid > 0
    np.testing.assert_array_equal(table["tid"], truth.trace_tid[used])
    np.testing.assert_array_equal(table["n"], truth.trace_valid[used])
    error = table["centroid"] - truth.trace_centre[used]
    scaled = error * np.sqrt(table["n"]) / np.asarray(truth.precision_m)
    assert abs(float(scaled.std()) - 1) < 0.1


def test_a_table_of_filtered_rows_is_that_of_compacted_ones(truth_and_data):
    _, ds = truth_and_data
    filtered = ds.mfx.filter(efo=(13_000, 48_000))
    first, second = filtered.mfx.traces().compute(), filtered.mfx.compact().mfx.traces().compute()
    np.testing.assert_array_equal(first["n"], second["n"])
    np.testing.assert_array_equal(first["spread"], second["spread"])


def test_invalid_localizations_never_count(truth_and_data):
    _, ds = truth_and_data
    data = ds.compute()
    rows = np.flatnonzero(data["vld"].values)[::7]
    data["vld"][rows] = False
    data["position"][rows] = 1.0  # a position that would be seen
    table = data.chunk().mfx.traces().compute()
    assert int(table["n"].sum()) == int(data["vld"].sum())
    assert (np.abs(table["centroid"]) < 1e-3).all()
    kept = data.chunk().mfx.filter(valid=False).mfx.compact().mfx.traces().compute()
    np.testing.assert_array_equal(kept["n"], table["n"])


def test_single_localizations_have_no_spread(truth_and_data):
    _, ds = truth_and_data
    table = ds.mfx.traces().compute()
    single = (table["n"] == 1).values
    assert single.any()
    assert np.isnan(table["spread"].values[single]).all()
    assert np.isfinite(table["spread"].values[~single]).all()
    assert (ds.mfx.traces(ddof=0).compute()["spread"].values[single] == 0).all()


def test_every_chunking_gives_the_same_bits(truth_and_data):
    _, ds = truth_and_data
    assert_chunk_invariant(lambda data: data.mfx.traces(), four_chunkings(ds, "localization"))


def test_lazy_once_counted(truth_and_data):
    _, ds = truth_and_data
    ds.mfx.traces()
    with raise_if_computes():
        table = ds.mfx.traces()
    assert table.chunks["trace"]


def test_washes_are_kept_apart(truth_and_data):
    _, ds = truth_and_data
    wash = (np.arange(ds.sizes["localization"]) >= 3000).astype("i4")
    table = ds.assign(wash=("localization", wash)).mfx.traces().compute()
    assert table["wash"].dtype == np.int32
    assert set(table["wash"].values.tolist()) == {0, 1}
    cut_trace = ds["tid"].values[3000] == ds["tid"].values[2999]
    assert table.sizes["trace"] == ds.mfx.traces().sizes["trace"] + int(cut_trace)


def test_units_and_record(truth_and_data):
    _, ds = truth_and_data
    table = ds.mfx.traces()
    assert table["spread"].attrs["units"] == "m"
    assert table["start"].attrs["units"] == "s"
    assert table.mfx.history[-1]["step"] == "traces"
    assert "chunk" not in str(table.mfx.history)


def test_wrong_ddof(truth_and_data):
    _, ds = truth_and_data
    with pytest.raises(ValueError, match="ddof"):
        ds.mfx.traces(ddof=2)


def exact_spreads(ds, ddof):
    """Spreads in extended precision, trace by trace."""
    frame = frame_of(ds)
    found = []
    for _, part in frame.groupby("tid", sort=False):
        xyz = part[["x", "y", "z"]].to_numpy().astype(np.longdouble)
        degrees = len(xyz) - ddof
        squares = ((xyz - xyz.mean(axis=0)) ** 2).sum(axis=0)
        found.append(np.sqrt(squares / degrees) if degrees > 0 else np.full(3, np.nan))
    return np.array(found)


@pytest.mark.parametrize("ddof", [0, 1])
def test_spreads_to_twelve_digits(truth_and_data, ddof):
    _, ds = truth_and_data
    table = traces(ds, ddof=ddof).compute()
    wanted = exact_spreads(ds, ddof)
    np.testing.assert_allclose(table["spread"], wanted.astype(float), rtol=1e-12)
    root = np.sqrt(table["n"].values)
    error = (wanted / root[:, None]).astype(float)
    np.testing.assert_allclose(table["standard_error"], error, rtol=1e-12)
    pooled = np.sqrt((wanted**2).mean(axis=1)).astype(float)
    np.testing.assert_allclose(table["spread_pooled"], pooled, rtol=1e-12)
    np.testing.assert_allclose(table["standard_error_pooled"], pooled / root, rtol=1e-12)


def test_medians_equal_pandas(truth_and_data):
    _, ds = truth_and_data
    table = traces(ds).compute()
    data = ds.compute()
    good = data["vld"].values & np.isfinite(data["position"][:, -1]).all("axis").values
    tid = data["tid"].values[good]
    for name, number in (("efo", -1), ("cfr", ds.attrs["cfr_iteration"]), ("dcr", -1), ("fbg", -1)):
        values = pd.Series(data[name][:, number].values[good])
        if name == "cfr":
            values = values.where(values != CFR_NOT_MEASURED)
        wanted = values.groupby(tid, sort=False).median()
        np.testing.assert_array_equal(table[f"{name}_median"], wanted)
    photons = pd.Series(ds.mfx.photons("all").values[good])
    np.testing.assert_array_equal(table["photons"], photons.groupby(tid, sort=False).sum())
    assert table["photons"].dtype == np.int64


def test_gaps(truth_and_data):
    _, ds = truth_and_data
    table = traces(ds).compute()
    np.testing.assert_array_equal(table["t_loc"], table["end"] - table["start"])
    np.testing.assert_array_equal(table["duration"], table["t_loc"])
    gaps = table["start"].values[1:] - table["end"].values[:-1]
    np.testing.assert_array_equal(table["t_scan"][:-1], np.where(gaps >= 0, gaps, np.nan))
    assert np.isnan(table["t_scan"].values[-1])


def test_gaps_never_span_washes(truth_and_data):
    _, ds = truth_and_data
    wash = (np.arange(ds.sizes["localization"]) >= 3000).astype("i4")
    table = traces(ds.assign(wash=("localization", wash))).compute()
    assert np.isnan(table["t_scan"].values[table["wash"].values == 0][-1])


def test_threads_have_gaps_of_their_own(truth_and_data):
    _, ds = truth_and_data
    thread = (ds["tid"].values % 2).astype("u1")
    table = traces(ds.assign(thi=("localization", thread))).compute()
    for number in (0, 1):
        own = table.isel(trace=table["tid"].values % 2 == number)
        gaps = own["start"].values[1:] - own["end"].values[:-1]
        np.testing.assert_array_equal(own["t_scan"][:-1], np.where(gaps >= 0, gaps, np.nan))


def test_the_conventions_of_the_seed(truth_and_data):
    _, ds = truth_and_data
    python = traces(ds, ddof="python").compute()
    assert_same_bits(python, traces(ds, ddof=0).compute())
    matlab, ours = traces(ds, ddof="matlab").compute(), traces(ds).compute()
    n = ours["n"].values
    assert (matlab["spread"].values[n == 1] == 0).all()
    np.testing.assert_array_equal(matlab["spread"][n > 1], ours["spread"][n > 1])
    assert np.isnan(matlab["standard_error"].values[n < 3]).all()
    np.testing.assert_array_equal(matlab["standard_error"][n >= 3], ours["standard_error"][n >= 3])


def test_an_axis_that_was_not_measured_does_not_count(truth_and_data):
    _, ds = truth_and_data
    data = ds.compute()
    for z in (0.0, 1.3e-6):
        data["position"][..., 2] = z
        table = traces(data.chunk()).compute()
        wanted = np.sqrt((table["spread"][:, :2] ** 2).mean("axis"))
        np.testing.assert_allclose(table["spread_pooled"], wanted, rtol=1e-14)
    chosen = traces(ds, axes=["y", "x"]).compute()
    wanted = np.sqrt((chosen["spread"][:, :2] ** 2).mean("axis"))
    np.testing.assert_allclose(chosen["spread_pooled"], wanted, rtol=1e-14)


def test_what_the_data_do_not_have_is_left_out(truth_and_data):
    _, ds = truth_and_data
    table = traces(ds[["position", "tim", "tid", "efo"]])
    assert "efo_median" in table
    assert not {"photons", "cfr_median", "dcr_median"} & set(table.variables)
    bare = traces(ds, medians=(), photons=None)
    assert not {"photons", "efo_median"} & set(bare.variables)
    last = traces(ds.mfx.last_iteration()).compute()
    assert last["photons"].values.tolist() != []


def test_one_pass_gives_everything(truth_and_data):
    _, ds = truth_and_data
    table = traces(ds)
    with count_computes() as computes:
        table.compute()
    assert len(computes) == 1


def test_traces_that_come_back_are_one_row(truth_and_data):
    _, ds = truth_and_data
    order = np.random.default_rng(0).permutation(ds.sizes["localization"])
    shuffled = ds.compute().isel(localization=order).chunk({"localization": 500})
    found = traces(shuffled).compute().sortby("tid")
    wanted = traces(ds).compute().sortby("tid")
    for name in ("n", "photons", "efo_median", "cfr_median", "start", "end", "t_scan"):
        np.testing.assert_array_equal(found[name], wanted[name])
    np.testing.assert_allclose(found["spread"], wanted["spread"], rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"axes": ["q"]}, "axes"),
        ({"axes": []}, "axes"),
        ({"medians": ["eco"]}, "medians"),
        ({"photons": "some"}, "which must be"),
    ],
)
def test_wrong_parameters(truth_and_data, given, text):
    _, ds = truth_and_data
    with pytest.raises(ValueError, match=text):
        traces(ds, **given)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "count", "spread"),
    [
        ("2D", 1250, [3.17516137, 2.57361135, 0.0]),
        ("3D", 527, [6.18217486, 5.87866869, 5.71360980]),
    ],
)
def test_real_data(data_dir, name, count, spread):
    ds = mfx.open_minflux(data_dir / "minflux" / f"{name}_ValidOnly.npy", chunk_bytes=2_000_000)
    table = traces(ds).compute()
    assert table.sizes["trace"] == count
    kept = table["spread"].values[table["n"].values >= 4]
    # ddof = 1 gives the stated medians of the 2D file; 0 gives 3.01412 and 2.45923
    np.testing.assert_allclose(np.median(kept, axis=0) * 1e9, spread, atol=5e-9)
    np.testing.assert_allclose(table["spread"], exact_spreads(ds, 1).astype(float), rtol=1e-12)


def test_any_number_of_workers_gives_the_same_bits(truth_and_data):
    _, ds = truth_and_data
    small = ds.chunk(localization=150)
    found = []
    for workers in (1, 2, 4):
        with dask.config.set(scheduler="threads", num_workers=workers):
            found.append(traces(small).compute())
    for other in found[1:]:
        assert_same_bits(found[0], other)


def test_nothing_left(tmp_path):
    run = mfx.open_minflux(localization_file(tmp_path, localizations=300))
    empty = run.mfx.filter(efo=(1e12, None)).mfx.compact().mfx.traces().compute()
    assert empty.sizes["trace"] == 0
    assert empty["t_scan"].shape == (0,)


@pytest.mark.parametrize("medians", [(), ("efo",)])
def test_long_traces_in_any_chunks(medians):
    rng = np.random.default_rng(0)
    tid = np.repeat([3, 4, 5], [9000, 20, 5000])
    n = len(tid)
    data = xr.Dataset(
        {
            "position": (("localization", "axis"), rng.normal(size=(n, 3))),
            "efo": ("localization", rng.normal(size=n)),
            "eco": ("localization", rng.integers(0, 500, n).astype("i4")),
            "thi": ("localization", (tid % 2).astype("u1")),
        },
        {"tid": ("localization", tid), "tim": ("localization", np.arange(n) * 1e-3)},
    )
    found = [
        traces(data.chunk(localization=size), medians=medians).compute() for size in (n, 1000, 4097)
    ]
    for other in found[1:]:
        assert_same_bits(found[0], other)
    groups = pd.Series(data["eco"].values).groupby(tid)
    np.testing.assert_array_equal(found[0]["photons"], groups.sum())
    if medians:
        wanted = pd.Series(data["efo"].values).groupby(tid).median()
        np.testing.assert_array_equal(found[0]["efo_median"], wanted)


def test_one_wanted_column_reads_no_other_field():
    n = 40
    data = xr.Dataset(
        {"position": (("localization", "axis"), np.ones((n, 3)))},
        {"tid": ("localization", np.arange(n) // 4), "tim": ("localization", np.arange(n) * 1.0)},
    ).chunk(localization=10)
    broken = da.map_blocks(_refuse, data["tim"].data, dtype=float, meta=np.empty(0))
    table = traces(data.assign(efo=("localization", broken)))
    assert table["n"].compute().values.tolist() == [4] * 10
    with pytest.raises(ValueError, match="not wanted"):
        table["efo_median"].compute()


def _refuse(block):
    raise ValueError("not wanted")
