"""The table of tracks against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mfxarray.chunked import trace_rows
from mfxarray.minflux.clusters.splitting import split_emitters
from mfxarray.minflux.clusters.track_summary import track_summary
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.cluster_samples import washes_of_clusters
from tests.samples import four_chunkings

SEED_COLUMNS = [
    "tid2", "tim", "loc", "lnc", "ltr", "std", "se", "nl", "std_xyz", "se_xyz",
    "cls_meas", "cls_all", "cls_merged_meas", "cls_merged_all",
]  # fmt: skip


@pytest.fixture(scope="module")
def ds():
    split = split_emitters(washes_of_clusters(), "dbscan", eps=6e-9)
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 1e-9, split["position"].shape)
    return split.assign(
        position_uncorrected=split["position"] + shift,
        position_registered=split["position"] + 2 * shift,
        cls_meas=("localization", rng.integers(-1, 4, split.sizes["localization"])),
    )


def frame_of(ds):
    frame = pd.DataFrame(
        {name: ds[name].values for name in ("tid2", "tim", "efo", "eco", "wash", "tid", "cls_meas")}
    )
    for name in ("position", "position_uncorrected", "position_registered"):
        for axis, column in enumerate("xyz"):
            frame[f"{name}_{column}"] = ds[name].values[:, axis]
    frame = frame[frame["tid2"] >= 0]
    for name in [column for column in frame if column.startswith("position")]:
        # deviations of 1e-9 m keep their digits if 1e-6 m is taken off first
        frame = frame.assign(
            **{f"near_{name}": frame[name] - frame.groupby("tid2")[name].transform("first")}
        )
    return frame.groupby("tid2")


def three(groups, name, how):
    return np.column_stack([how(groups[f"{name}_{axis}"]) for axis in "xyz"])


@pytest.mark.parametrize("ddof", [0, 1, "python"])
@pytest.mark.parametrize("position", ["position", "position_registered"])
def test_equals_pandas(ds, ddof, position, monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 20)
    found = track_summary(ds.chunk(localization=60), position=position, ddof=ddof)
    assert len(found.chunks["track"]) > 1
    found = found.compute()
    groups, less = frame_of(ds), 1 if ddof == 1 else 0
    n = groups.size().to_numpy()
    spread = three(groups, f"near_{position}", lambda column: column.std(ddof=less))
    pooled = np.sqrt((spread**2).mean(axis=1))
    wanted = {
        "tim": groups["tim"].mean(),
        "loc": three(groups, "position", lambda column: column.mean()),
        "lnc": three(groups, "position_uncorrected", lambda column: column.mean()),
        "ltr": three(groups, position, lambda column: column.mean()),
        "efo_mean": groups["efo"].mean(),
        "efo_median": groups["efo"].median(),
        "start": groups["tim"].min(),
        "end": groups["tim"].max(),
        "duration": groups["tim"].max() - groups["tim"].min(),
    }
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)
    for name, values in (
        ("std", pooled),
        ("se", pooled / np.sqrt(n)),
        ("std_xyz", spread),
        ("se_xyz", spread / np.sqrt(n)[:, None]),
    ):
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)
    for name, values in (
        ("nl", n),
        ("tid2", np.arange(len(n))),
        ("photons", groups["eco"].sum()),
        ("wash", groups["wash"].first()),
        ("tid", groups["tid"].first()),
        ("cls_meas", groups["cls_meas"].first()),
    ):
        np.testing.assert_array_equal(found[name], values)
    for name in ("cls_all", "cls_merged_meas", "cls_merged_all"):
        assert (found[name] == -1).all()


def test_spreads_are_exact_where_pandas_is_not():
    # whole nanometres of a power of two are exact
    place = np.array([[0.0, 0, 0], [2, 4, 0], [4, 8, 0]]) * 2.0**-30 + 2.0**-17
    ds = washes_of_clusters(1, rows=3).isel(localization=slice(0, 3))
    found = track_summary(ds.assign(position=(("localization", "axis"), place)), ddof=1)
    np.testing.assert_allclose(found["std_xyz"][0], np.array([2, 4, 0]) * 2.0**-30, rtol=1e-14)
    assert float(found["std"][0]) == pytest.approx(np.sqrt(10) * 2.0**-30, rel=1e-14)


def test_columns_are_in_the_order_of_the_seed(ds):
    found = track_summary(ds)
    assert list(found.data_vars)[: len(SEED_COLUMNS)] == SEED_COLUMNS
    assert found["ltr"].attrs["units"] == "m"
    assert all("long_name" in found[name].attrs for name in found.data_vars)


def test_same_for_every_chunking(ds):
    assert_chunk_invariant(track_summary, four_chunkings(ds, "localization"))


def test_without_parts_traces_are_tracks_and_nothing_is_computed():
    ds = washes_of_clusters().chunk(localization=90)
    table = traces(ds, ddof=0)
    with raise_if_computes():
        found = track_summary(ds, ddof=0)
    np.testing.assert_allclose(found["ltr"], table["centroid"], rtol=1e-14)
    np.testing.assert_array_equal(found["std"], table["spread_pooled"])
    np.testing.assert_array_equal(found["tid"], table["tid"])
    np.testing.assert_array_equal(found["tid2"], np.arange(len(found["tid2"])))


def test_bug_32_single_localizations_have_spread_0_or_none(ds):
    one = ds.isel(localization=np.arange(0, ds.sizes["localization"], 8))
    one = one.assign(tid2=xr.DataArray(np.arange(one.sizes["localization"]), dims="localization"))
    assert np.isnan(track_summary(one, ddof=1)["std"]).all()
    assert (track_summary(one, ddof=0)["std"] == 0).all()


def test_bug_31_flat_tracks_spread_by_measured_axes(ds):
    flat = ds.assign(position=ds["position"] * (1, 1, 0))
    found = track_summary(flat, ddof=0)
    wanted = np.sqrt((found["std_xyz"].values[:, :2] ** 2).mean(axis=1))
    np.testing.assert_allclose(found["std"], wanted, rtol=1e-12)


def test_further_clusters_and_arrays(ds):
    labels = xr.DataArray(ds["tid2"].values * 2, dims="localization")
    found = track_summary(ds, clusters={"cls_all": labels, "mine": "cls_meas"})
    np.testing.assert_array_equal(found["cls_all"], found["tid2"] * 2)
    assert list(found.data_vars)[len(SEED_COLUMNS)] == "mine"
    assert (found["cls_meas"] == -1).all()


def test_no_tracks(ds):
    none = ds.assign(tid2=xr.full_like(ds["tid2"], -1))
    assert track_summary(none).compute().sizes["track"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"ddof": 2},
        {"clusters": {"cls_all": "none"}},
        {"clusters": {"efo": "cls_meas"}},
        {"clusters": {"ltr": "cls_meas"}},
        {"clusters": {"a": xr.DataArray([1], dims="localization")}},
    ],
)
def test_bad_parameters(ds, settings):
    with pytest.raises(ValueError, match=r"ddof|no variable|is a column|one number"):
        track_summary(ds, **settings)
