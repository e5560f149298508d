"""Densities and nearest neighbours against scipy, closed forms and all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.spatial import ConvexHull, Voronoi, cKDTree

from mfxarray.minflux.clusters.density import local_density, nearest_neighbour, voronoi_density
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localizations_of


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    rng = np.random.default_rng(0)
    position = rng.random((1500, 3)) * [2e-6, 1e-6, 0.5e-6]
    position[::50] = np.nan
    wash = rng.integers(0, 3, 1500).astype(np.int32)
    found = localizations_of(position, tid=np.arange(1500) // 5, wash=wash)
    return found.assign(selected=("localization", np.arange(1500) % 11 != 0))


def used_of(data: xr.Dataset) -> np.ndarray:
    return data["selected"].values & np.isfinite(data["position"].values).all(axis=1)


@pytest.mark.parametrize("axes", [2, 3])
def test_counts_within_a_radius(data: xr.Dataset, axes: int) -> None:
    used, radius = used_of(data), 80e-9
    points = data["position"].values[used, :axes]
    found = local_density(data, radius=radius, dimensions=axes)
    wanted = cKDTree(points).query_ball_point(points, radius, return_length=True) - 1
    np.testing.assert_array_equal(found["neighbours"].values[used], wanted)
    assert (found["neighbours"].values[~used] == -1).all()
    size = np.pi * radius**2 if axes == 2 else 4 / 3 * np.pi * radius**3
    np.testing.assert_allclose(found["density"].values[used], wanted / size)
    assert np.isnan(found["density"].values[~used]).all()
    assert found["density"].attrs["units"] == f"m^-{axes}"


@pytest.mark.parametrize("k", [2, 7])
def test_the_kth_other(data: xr.Dataset, k: int) -> None:
    used = used_of(data)
    points = data["position"].values[used]
    found = local_density(data, k=k)
    wanted = cKDTree(points).query(points, k + 1)[0][:, k]
    np.testing.assert_allclose(found["kth_distance"].values[used], wanted, rtol=1e-14)
    np.testing.assert_allclose(found["density"].values[used], (k - 1) / (4 / 3 * np.pi * wanted**3))
    assert np.isnan(found["kth_distance"].values[~used]).all()


def test_gaussians(data: xr.Dataset) -> None:
    used, fwhm = used_of(data), 60e-9
    points = data["position"].values[used, :2]
    squared = ((points[:, np.newaxis] - points) ** 2).sum(axis=-1)
    wanted = np.exp(-4 * np.log(2) * squared / fwhm**2).sum(axis=1) - 1
    found = local_density(data, fwhm=fwhm, dimensions=2)
    np.testing.assert_allclose(found["neighbour_sum"].values[used], wanted, atol=2e-4)
    sigma = fwhm / (2 * np.sqrt(2 * np.log(2)))
    np.testing.assert_allclose(
        found["density"].values[used], found["neighbour_sum"].values[used] / (2 * np.pi * sigma**2)
    )


def test_all_are_right_where_points_lie_at_random() -> None:
    rng = np.random.default_rng(1)
    side, n = 4e-6, 40_000
    position = np.zeros((n, 3))
    position[:, :2] = rng.random((n, 2)) * side
    data = localizations_of(position)
    inside = ((position[:, :2] > 0.3e-6) & (position[:, :2] < side - 0.3e-6)).all(axis=1)
    for choice in ({"radius": 100e-9}, {"k": 5}, {"k": 2}, {"fwhm": 100e-9}):
        found = local_density(data, dimensions=2, **choice)["density"].values[inside]
        np.testing.assert_allclose(found.mean(), n / side**2, rtol=0.04)


@pytest.mark.parametrize("by", ["wash", "trace"])
def test_groups(data: xr.Dataset, by: str) -> None:
    used = used_of(data)
    group = data["wash"].values.astype(int)
    if by == "trace":
        group = group * 1000 + data["tid"].values
    rows = np.flatnonzero(used)
    counts = local_density(data, radius=150e-9, by=by)["neighbours"].values
    near = nearest_neighbour(data, by=by)
    for number in np.unique(group[used])[:60]:
        own = rows[group[rows] == number]
        points = data["position"].values[own]
        tree = cKDTree(points)
        wanted = tree.query_ball_point(points, 150e-9, return_length=True) - 1
        np.testing.assert_array_equal(counts[own], wanted)
        distance, place = tree.query(points, 2)
        alone = len(own) == 1
        wanted = np.array([np.nan]) if alone else distance[:, 1]
        np.testing.assert_allclose(near["distance"].values[own], wanted, rtol=1e-14)
        wanted = np.array([-1]) if alone else own[place[:, 1]]
        np.testing.assert_array_equal(near["neighbour"].values[own], wanted)


@pytest.mark.parametrize("axes", [2, 3])
def test_nearest_neighbour(data: xr.Dataset, axes: int) -> None:
    rows = np.flatnonzero(used_of(data))
    points = data["position"].values[rows, :axes]
    found = nearest_neighbour(data, dimensions=axes)
    distance, place = cKDTree(points).query(points, 2)
    np.testing.assert_allclose(found["distance"].values[rows], distance[:, 1], rtol=1e-14)
    np.testing.assert_array_equal(found["neighbour"].values[rows], rows[place[:, 1]])
    out = ~used_of(data)
    assert np.isnan(found["distance"].values[out]).all()
    assert (found["neighbour"].values[out] == -1).all()


@pytest.mark.parametrize("by", [None, "wash"])
def test_nearest_of_another(data: xr.Dataset, by: str | None) -> None:
    rng = np.random.default_rng(2)
    wash = rng.integers(0, 4, 300).astype(np.int32)
    other = localizations_of(rng.random((300, 3)) * 2e-6, wash=wash).chunk(localization=80)
    found = nearest_neighbour(data, other, by=by)
    used = used_of(data)
    for number in np.unique(data["wash"].values) if by else [None]:
        mine = used if number is None else used & (data["wash"].values == number)
        theirs = np.flatnonzero(wash == number) if by else np.arange(300)
        distance, place = cKDTree(other["position"].values[theirs]).query(
            data["position"].values[mine]
        )
        np.testing.assert_allclose(found["distance"].values[mine], distance, rtol=1e-14)
        np.testing.assert_array_equal(found["neighbour"].values[mine], theirs[place])
    assert found.sizes == {"localization": 1500}


def test_a_table_of_traces_and_its_localizations(data: xr.Dataset) -> None:
    table = traces(data)
    found = nearest_neighbour(table, data)
    used = np.flatnonzero(used_of(data))
    known = np.isfinite(table["centroid"].values).all(axis=1)
    tree = cKDTree(data["position"].values[used])
    distance, place = tree.query(table["centroid"].values[known])
    np.testing.assert_allclose(found["distance"].values[known], distance, rtol=1e-14)
    np.testing.assert_array_equal(found["neighbour"].values[known], used[place])
    assert "localization" in found["neighbour"].attrs["long_name"]


def test_nobody_there(data: xr.Dataset) -> None:
    nobody = data.assign(selected=("localization", np.zeros(1500, bool)))
    found = nearest_neighbour(data, nobody)
    assert np.isnan(found["distance"].values).all()
    assert (found["neighbour"].values == -1).all()
    assert (local_density(nobody, radius=1e-6)["neighbours"].values == -1).all()
    assert np.isnan(voronoi_density(nobody)["density"].values).all()


@pytest.mark.parametrize("axes", [2, 3])
def test_voronoi(data: xr.Dataset, axes: int) -> None:
    used = used_of(data)
    found = voronoi_density(data, dimensions=axes)
    points = data["position"].values[used, :axes]
    cells = Voronoi(points / 1e-6)
    wanted = np.full(len(points), np.inf)
    for point, region in enumerate(cells.point_region):
        corners = cells.regions[region]
        if -1 not in corners:
            wanted[point] = ConvexHull(cells.vertices[corners]).volume * 1e-6**axes
    np.testing.assert_allclose(found["cell_size"].values[used], wanted, rtol=1e-6)
    np.testing.assert_allclose(found["density"].values[used], 1 / wanted, rtol=1e-6)
    assert np.isnan(found["density"].values[~used]).all()


def test_too_many_for_voronoi(data: xr.Dataset) -> None:
    found = voronoi_density(data, most_points=1000)
    with pytest.raises(ValueError, match="more than the 1000"):
        found.compute()


OPERATIONS = [
    lambda data: local_density(data, radius=80e-9, by="wash"),
    lambda data: local_density(data, k=3),
    lambda data: local_density(data, fwhm=80e-9),
    lambda data: nearest_neighbour(data, by="trace"),
    lambda data: nearest_neighbour(data, data.isel(localization=slice(3, None, 4))),
    lambda data: voronoi_density(data),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_chunking_gives_the_same(data: xr.Dataset, operation) -> None:
    assert_chunk_invariant(operation, four_chunkings(data, "localization"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_lazy_with_a_record(data: xr.Dataset, operation) -> None:
    chunked = data.chunk(localization=400)
    with raise_if_computes():
        found = operation(chunked)
    assert found.chunks == {"localization": (400, 400, 400, 300)}
    assert history(found.attrs)[-1]["step"].split("_")[0] in ("local", "nearest", "voronoi")
    assert all({"units", "long_name"} <= set(found[name].attrs) for name in found)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda ds: local_density(ds), "give one of"),
        (lambda ds: local_density(ds, radius=1e-8, k=3), "give one of"),
        (lambda ds: local_density(ds, radius=0.0), "radius must"),
        (lambda ds: local_density(ds, fwhm=float("nan")), "fwhm must"),
        (lambda ds: local_density(ds, k=1), "k must"),
        (lambda ds: local_density(ds, k=2.5), "k must"),
        (lambda ds: nearest_neighbour(ds, by="tim"), "integers"),
        (lambda ds: nearest_neighbour(ds, dimensions=5), "dimensions"),
        (lambda ds: nearest_neighbour(ds, ds.isel(axis=slice(2))), "as many axes"),
        (lambda ds: voronoi_density(ds, dimensions=1), "dimensions"),
    ],
)
def test_wrong_parameters(data: xr.Dataset, make, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make(data)
