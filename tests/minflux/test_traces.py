"""The trace table against pandas and against the truth of the simulator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mfxarray as mfx
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings


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
