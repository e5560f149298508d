"""Clusters of localizations and traces against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import DBSCAN

import mfxarray as mfx
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localizations_of

EPS = 20e-9


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    rng = np.random.default_rng(0)
    homes = rng.random((150, 3)) * [2e-6, 1e-6, 0.3e-6]
    trace = np.sort(rng.integers(0, 150, 2000))
    position = homes[trace] + rng.normal(scale=12e-9, size=(2000, 3))
    position[::40] = np.nan
    wash = (np.arange(2000) >= 900).astype(np.int32)
    found = localizations_of(position, tid=trace // 2, wash=wash)
    return found.assign(selected=("localization", np.arange(2000) % 11 != 0))


def used_of(data: xr.Dataset) -> np.ndarray:
    return data["selected"].values & np.isfinite(data["position"].values).all(axis=1)


def theirs(data: xr.Dataset, group: np.ndarray, axes: int = 3, **choices: float) -> np.ndarray:
    """Return scikit-learn's clusters of each group, renumbered by their first core row."""
    used, position = used_of(data), data["position"].values[:, :axes]
    named = np.full(len(used), -1)
    for number in np.unique(group[used]):
        rows = np.flatnonzero(used & (group == number))
        model = DBSCAN(algorithm="kd_tree", **choices).fit(position[rows])
        firsts = {
            label: rows[model.core_sample_indices_][
                model.labels_[model.core_sample_indices_] == label
            ].min()
            for label in set(model.labels_.tolist()) - {-1}
        }
        named[rows] = [firsts.get(label, -1) for label in model.labels_.tolist()]
    names = np.unique(named[named >= 0])
    return np.where(named < 0, -1, np.searchsorted(names, named))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("min_samples", [1, 4])
def test_localizations(data: xr.Dataset, axes: int, min_samples: int) -> None:
    found = dbscan(data, eps=EPS, min_samples=min_samples, dimensions=axes)
    wanted = theirs(data, np.zeros(2000), axes, eps=EPS, min_samples=min_samples)
    assert wanted.max() > 20
    assert found.dims == ("localization",)
    assert found.name == "cluster"
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found.values, wanted)
    assert (found.values[~used_of(data)] == -1).all()


def test_all_axes_by_default(data: xr.Dataset) -> None:
    two, three = (dbscan(data, eps=EPS, dimensions=axes).values for axes in (2, 3))
    assert (two != three).any()
    np.testing.assert_array_equal(dbscan(data, eps=EPS).values, three)


def test_within_washes_and_traces(data: xr.Dataset) -> None:
    tid, wash = data["tid"].values, data["wash"].values
    for by, group in (("wash", wash), ("trace", wash * 1000 + tid), ("tid", tid)):
        found = dbscan(data, eps=EPS, by=by).values
        np.testing.assert_array_equal(found, theirs(data, group, eps=EPS, min_samples=3))
        for label in range(found.max() + 1):
            assert len(set(group[found == label])) == 1
    per_wash = dbscan(data, eps=EPS, by="wash").values
    # washes lie one after the other, so their numbers do too
    assert per_wash[:900].max() < per_wash[900:][per_wash[900:] >= 0].min()


def test_a_table_of_traces(data: xr.Dataset) -> None:
    table = traces(data.drop_vars("selected"))
    found = dbscan(table, eps=60e-9, min_samples=1)
    assert found.dims == ("trace",)
    centroid = table["centroid"].values
    known = np.isfinite(centroid).all(axis=1)
    wanted = np.full(len(known), -1)
    wanted[known] = (
        DBSCAN(eps=60e-9, min_samples=1, algorithm="kd_tree").fit(centroid[known]).labels_
    )
    np.testing.assert_array_equal(found.values, wanted)
    with pytest.raises(ValueError, match="needs localizations"):
        dbscan(table, eps=60e-9, by="trace")


@pytest.mark.parametrize("by", [None, "wash", "trace"])
def test_every_chunking_gives_the_same(data: xr.Dataset, by: str | None) -> None:
    assert_chunk_invariant(
        lambda part: dbscan(part, eps=EPS, by=by), four_chunkings(data, "localization")
    )


def test_lazy_with_a_record(data: xr.Dataset) -> None:
    chunked = data.chunk(localization=300)
    with raise_if_computes():
        found = dbscan(chunked, eps=EPS, min_samples=5, by="trace")
    assert found.chunks == ((300,) * 6 + (200,),)
    step = history(found.attrs)[-1]
    assert step["step"] == "dbscan"
    told = {"eps": EPS, "min_samples": 5, "by": "trace", "dimensions": None}
    assert step["parameters"] == told
    assert found.attrs["units"] == "1"
    assert set(found.coords) == {"tid", "tim"}
    assert "cluster" in data.assign(cluster=found)


def test_data_in_two_dimensions_with_a_large_offset() -> None:
    rng = np.random.default_rng(1)
    position = np.zeros((500, 3))
    position[:, :2] = 1.0 + rng.random((500, 2)) * 3e-7
    flat = localizations_of(position)
    wanted = DBSCAN(eps=EPS, min_samples=4, algorithm="kd_tree").fit(position[:, :2]).labels_
    for axes in (2, 3, None):
        found = dbscan(flat, eps=EPS, min_samples=4, dimensions=axes)
        np.testing.assert_array_equal(found.values, wanted)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"eps": 0.0}, "eps must"),
        ({"eps": -1e-9}, "eps must"),
        ({"eps": float("nan")}, "eps must"),
        ({"eps": float("inf")}, "eps must"),
        ({"eps": EPS, "min_samples": 0}, "min_samples"),
        ({"eps": EPS, "min_samples": 2.5}, "min_samples"),
        ({"eps": EPS, "dimensions": 1}, "dimensions"),
        ({"eps": EPS, "dimensions": 4}, "dimensions"),
        ({"eps": EPS, "by": "nonsense"}, "no 'nonsense' to group by; there are 'trace'"),
        ({"eps": EPS, "by": "tim"}, "integers"),
        ({"eps": EPS, "by": "position"}, "alone"),
    ],
)
def test_wrong_parameters(data: xr.Dataset, choices: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        dbscan(data, **choices)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D", "3D"])
@pytest.mark.parametrize("eps", [10e-9, 20e-9, 35e-9])
def test_real_files(data_dir: Path, name: str, eps: float) -> None:
    path = data_dir / "minflux" / f"{name}_ValidOnly.npy"
    ds = mfx.open_minflux(path, chunk_bytes=2_000_000)
    position = ds["position"][:, -1].values
    used = ds["vld"].values & np.isfinite(position).all(axis=1)
    for min_samples in (1, 3, 5):
        found = dbscan(ds, eps=eps, min_samples=min_samples).values
        wanted = DBSCAN(eps=eps, min_samples=min_samples).fit(position[used]).labels_
        np.testing.assert_array_equal(found[used], wanted)
        assert wanted.max() > 10
        assert (found[~used] == -1).all()
