"""Points on pixels against numpy's histograms and scipy's normal distribution."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mfxarray.kernels.rendering.drawing import Drawing, add_parts, sort_block
from mfxarray.kernels.rendering.grids import Grid, Tiles
from mfxarray.kernels.rendering.rendering import add_points, sort_points
from mfxarray.kernels.rendering.seed_rendering import seed_stamps
from mfxarray.kernels.rendering.splats import REACH, add_splats, sort_splats

PLANE = Grid((-1.1e-6, 2e-7), (3e-9, 7e-9), (211, 97))
SPACE = Grid((-1e-7, -1.1e-6, 2e-7), (2e-8, 3e-9, 7e-9), (9, 211, 97))


def cut(grid: Grid, bits=(2, 6, 5)) -> Tiles:
    return Tiles(grid.solid()[2], bits)


def columns_of(grid: Grid) -> tuple[int, ...]:
    return (2, 1, 0) if len(grid.shape) == 3 else (1, 0)


def scattered(grid: Grid, n: int = 4000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return points around an image, many exactly on edges and one ulp beside, some NaN."""
    rng = np.random.default_rng(seed)
    position = np.zeros((n, 3))
    for axis, column in enumerate(columns_of(grid)):
        edges = grid.edges(axis)
        wide = edges[-1] - edges[0]
        values = rng.uniform(edges[0] - 0.1 * wide, edges[-1] + 0.1 * wide, n)
        on = rng.random(n) < 0.6
        values[on] = rng.choice(edges, on.sum())
        beside = rng.random(n) < 0.3
        values[beside] = np.nextafter(values[beside], rng.choice([-1.0, 1.0], beside.sum()))
        position[:, column] = values
    position[rng.random(n) < 0.05, rng.integers(0, 2)] = np.nan
    return position, rng.random(n) < 0.9


def numpys(position: np.ndarray, used: np.ndarray, grid: Grid) -> np.ndarray:
    sample = position[used][:, list(columns_of(grid))]
    sample = sample[~np.isnan(sample).any(axis=1)]
    return np.histogramdd(sample, bins=[grid.edges(axis) for axis in range(len(grid.shape))])[0]


@pytest.mark.parametrize("grid", [PLANE, SPACE], ids=["plane", "space"])
def test_counts_are_numpys(grid: Grid) -> None:
    position, used = scattered(grid)
    image = np.zeros(grid.shape, np.uint32)
    found = add_points(image, position, used, columns_of(grid), grid)
    assert found is image
    wanted = numpys(position, used, grid)
    assert wanted.sum() > 1000
    np.testing.assert_array_equal(found, wanted)
    add_points(image, position, ~used, columns_of(grid), grid)
    np.testing.assert_array_equal(image, numpys(position, np.ones(len(used), bool), grid))


@given(
    first=st.floats(-1e-2, 1e-2),
    size=st.floats(1e-10, 1e-5),
    n=st.integers(1, 5000),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_any_edge_is_compared_to_the_bit(first: float, size: float, n: int, data) -> None:
    grid = Grid((first, 0.0), (size, 1.0), (n, 1))
    edges = grid.edges(0)
    at = data.draw(st.lists(st.integers(0, n), min_size=1, max_size=30))
    values = edges[at]
    values = np.concatenate([values, np.nextafter(values, -1), np.nextafter(values, 1)])
    position = np.zeros((len(values), 2))
    position[:, 1] = values
    image = add_points(
        np.zeros(grid.shape, np.uint32), position, np.ones(len(values), bool), (1, 0), grid
    )
    wanted = np.histogramdd(position[:, [1, 0]], bins=[edges, [0.0, 1.0]])[0]
    np.testing.assert_array_equal(image, wanted)


@pytest.mark.parametrize("grid", [PLANE, SPACE], ids=["plane", "space"])
@pytest.mark.parametrize("rows", [True, False])
def test_sorted_points_are_in_their_tile_and_order(grid: Grid, rows: bool) -> None:
    position, used = scattered(grid, seed=2)
    tiles = cut(grid)
    place, row, bounds = sort_points(position, used, columns_of(grid), grid, tiles, rows=rows)
    assert bounds[-1] == len(place) == numpys(position, used, grid).sum()
    assert len(row) == (len(place) if rows else 0)
    shape = grid.solid()[2]
    image = np.zeros(shape)
    _, by, bx = tiles.bits
    for tile in range(tiles.count):
        part = slice(bounds[tile], bounds[tile + 1])
        z0, y0, x0 = tiles.corner(tile)
        local = place[part]
        z, y, x = (
            local >> (by + bx),
            (local >> bx) & ((1 << by) - 1),
            local & ((1 << bx) - 1),
        )
        sizes = tiles.shape_of(tile)
        assert all((at < size).all() for at, size in zip((z, y, x), sizes, strict=True))
        np.add.at(image, (z0 + z, y0 + y, x0 + x), 1)
        if rows:
            assert (np.diff(row[part]) > 0).all()
    np.testing.assert_array_equal(image.reshape(grid.shape), numpys(position, used, grid))


def test_channels_come_one_after_the_other() -> None:
    position, used = scattered(PLANE, seed=3)
    channel = np.random.default_rng(0).integers(-1, 3, len(used)).astype(np.int32)
    tiles = cut(PLANE)
    _, row, bounds = sort_points(position, used, (1, 0), PLANE, tiles, channel, 3)
    assert len(bounds) == 3 * tiles.count + 1
    for number in range(3):
        inside = row[bounds[number * tiles.count] : bounds[(number + 1) * tiles.count]]
        assert (channel[inside] == number).all()
        assert len(inside) == numpys(position, used & (channel == number), PLANE).sum()


def image_of(grid, position, used, sigma, tiles, parts=1, **more) -> np.ndarray:
    """Return an image put together of tiles, from blocks sorted one by one."""
    drawing = Drawing(grid, tiles, columns_of(grid), splats=True, sigma=sigma, **more)
    cuts = np.linspace(0, len(used), parts + 1).astype(int)
    blocks = [
        sort_block(drawing, (0, tiles.count), used[a:b], position[a:b], None, None, None)
        for a, b in pairwise(cuts)
    ]
    image = np.full(grid.solid()[2], np.nan)
    for tile in range(tiles.count):
        state = add_parts(drawing, tile, None, [block[tile] for block in blocks])
        place = zip(tiles.corner(tile), tiles.shape_of(tile), strict=True)
        image[tuple(slice(at, at + n) for at, n in place)] = state.sums[0]
    return image.reshape(grid.shape)


@pytest.mark.parametrize("grid", [PLANE, SPACE], ids=["plane", "space"])
def test_splats_are_scipys_normal_distribution(grid: Grid) -> None:
    position, used = scattered(grid, n=60, seed=4)
    position[:, columns_of(grid)[0]] += 0.3e-9
    sigma = tuple(size * wide for size, wide in zip(grid.size, (1.3, 2.1, 0.4), strict=False))
    found = image_of(grid, position, used, sigma, cut(grid))
    wanted = np.zeros(grid.shape)
    for point in position[used & ~np.isnan(position).any(axis=1)]:
        contents = [
            np.diff(norm.cdf(grid.edges(axis), point[column], sigma[axis]))
            for axis, column in enumerate(columns_of(grid))
        ]
        wanted += (
            np.multiply.outer(np.multiply.outer(*contents[:2]), contents[-1])
            if len(contents) == 3
            else np.multiply.outer(*contents)
        )
    assert wanted.max() > 0.02
    np.testing.assert_allclose(found, wanted, atol=3e-9)


@pytest.mark.parametrize("place", [(50.0, 40.0), (50.5, 40.5), (50.25, 40.999), (49.123, 40.777)])
@pytest.mark.parametrize("sigma", [1.0, 1.7, 4.0])
def test_that_centroid_area_and_width_are_those_of_the_point(place, sigma: float) -> None:
    grid = Grid((0.0, 0.0), (1.0, 1.0), (101, 90))
    position = np.array([[place[1], place[0], 0.0]])
    image = image_of(grid, position, np.ones(1, bool), (sigma, sigma), cut(grid, (0, 5, 5)))
    assert image.sum() == pytest.approx(1.0, abs=1e-8)
    for axis in (0, 1):
        profile = image.sum(axis=1 - axis)
        centre = (profile * grid.centres(axis)).sum() / profile.sum()
        assert centre == pytest.approx(place[axis], abs=1e-6)
        variance = (profile * (grid.centres(axis) - centre) ** 2).sum()
        # a pixel adds the variance of its own width
        assert variance == pytest.approx(sigma**2 + 1 / 12, abs=1e-5)


def test_that_a_narrow_splat_is_in_its_pixel() -> None:
    grid = Grid((0.0, 0.0), (1.0, 1.0), (8, 8))
    position = np.array([[3.5, 5.5, 0.0], [0.5, 0.5, 0.0]])
    image = image_of(grid, position, np.ones(2, bool), (1e-3, 1e-3), cut(grid, (0, 2, 2)))
    wanted = np.zeros((8, 8))
    wanted[5, 3] = wanted[0, 0] = 1.0
    np.testing.assert_allclose(image, wanted, atol=1e-12)


@pytest.mark.parametrize("grid", [PLANE, SPACE], ids=["plane", "space"])
def test_that_tiles_and_blocks_change_no_bit(grid: Grid) -> None:
    position, used = scattered(grid, n=900, seed=5)
    sigma = tuple(size * 1.7 for size in grid.size)
    first = image_of(grid, position, used, sigma, cut(grid, (4, 8, 8)))
    for bits, parts in (((1, 3, 4), 1), ((0, 5, 2), 7), ((2, 4, 7), 3)):
        again = image_of(grid, position, used, sigma, cut(grid, bits), parts)
        np.testing.assert_array_equal(again.view(np.int64), first.view(np.int64))


def test_splats_beside_the_image_and_those_that_have_no_width() -> None:
    grid = Grid((0.0, 0.0), (1.0, 1.0), (10, 10))
    position = np.array([[-1.0, 5.0], [5.0, 5.0], [-7.0, 5.0], [5.0, 5.0], [5.0, 5.0], [np.inf, 1]])
    sigma = np.array([[1.0, 1.0], [1.0, np.nan], [1.0, 1.0], [0.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    table, row, _ = sort_splats(
        position, np.ones(6, bool), sigma, (1, 0), grid, cut(grid, (0, 4, 4))
    )
    assert row.tolist() == [0]
    sums = np.zeros((1, 1, 10, 10))
    add_splats(sums, table, np.empty((1, 0)), (0, 0, 0))
    assert sums.sum() == pytest.approx(norm.sf(1.0), abs=1e-6)
    with pytest.raises(ValueError, match="larger pixels"):
        sort_splats(position, np.ones(6, bool), sigma * 1e4, (1, 0), grid, cut(grid))


def test_amounts_of_splats() -> None:
    grid = Grid((0.0, 0.0), (1.0, 1.0), (20, 20))
    position = np.array([[9.0, 11.0], [12.0, 8.0]])
    tiles = cut(grid, (0, 5, 5))
    table, row, _ = sort_splats(position, np.ones(2, bool), np.ones((2, 2)), (1, 0), grid, tiles)
    amounts = np.array([[2.0, 10.0], [3.0, -1.0]])
    sums = np.zeros((2, 1, 20, 20))
    add_splats(sums, table, amounts[row], (0, 0, 0))
    np.testing.assert_allclose(sums.sum(axis=(1, 2, 3)), [5.0, 9.0], atol=1e-7)


def test_that_a_state_is_not_changed() -> None:
    position, used = scattered(PLANE, seed=6)
    tiles = cut(PLANE, (0, 8, 8))
    drawing = Drawing(PLANE, tiles, (1, 0))
    (part,) = sort_block(drawing, (0, 1), used, position, None, None, None)
    first = add_parts(drawing, 0, None, [part])
    kept = first.counts.copy()
    second = add_parts(drawing, 0, first, [part])
    np.testing.assert_array_equal(first.counts, kept)
    np.testing.assert_array_equal(second.counts, 2 * kept)


@pytest.mark.parametrize("space", [False, True])
def test_seed_stamps(space: bool) -> None:
    shape = (14, 30, 40) if space else (30, 40)
    grid = Grid((5.0,) * len(shape), (2.0,) * len(shape), shape)
    rng = np.random.default_rng(0)
    position = rng.uniform(5, 5 + 2 * np.array([40, 30, 14]), (50, 3))
    position[0] = 5 + 2 * np.array([20.5, 15.0, 7.0])
    fwhm = 2.4
    found, inside = seed_stamps(position, (fwhm,) * len(shape), columns_of(grid), grid)
    wanted = np.zeros(shape)
    reach = int(np.ceil(2 * fwhm / 2.0))
    drawn = 0
    for point in position:
        p = (point[list(columns_of(grid))] - 5.0) / 2.0
        i = np.floor(p + 0.5).astype(int)
        if (i < reach + 1).any() or (i > np.array(shape) - reach - 1).any():
            continue
        drawn += 1
        for k in np.ndindex((2 * reach + 1,) * len(shape)):
            step = np.array(k) - reach
            value = np.exp(-4 * np.log(2) * (((step - (p - i)) / (fwhm / 2.0)) ** 2).sum())
            wanted[tuple(i + step - 1)] += value
    assert inside.sum() == drawn > 3
    np.testing.assert_allclose(found, wanted, atol=1e-14)


@pytest.mark.parametrize(
    ("first", "size", "shape", "said"),
    [
        ((0.0,), (1.0,), (3,), "2 or 3 axes"),
        ((0.0, 0.0), (1.0, 1.0), (3, 0), "above 0"),
        ((0.0, 0.0), (1.0, 0.0), (3, 3), "above 0"),
        ((0.0, np.nan), (1.0, 1.0), (3, 3), "above 0"),
        ((1.0, 0.0), (1e-16, 1.0), (3, 3), "too small"),
    ],
)
def test_grids_that_make_no_sense(first, size, shape, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Grid(first, size, shape)


def test_images_that_cannot_be_added_to() -> None:
    position, used = scattered(PLANE, 5)
    for image in (np.zeros((2, 2), np.uint32), np.zeros(PLANE.shape), np.zeros(PLANE.shape).T):
        with pytest.raises(ValueError, match="uint32"):
            add_points(image, position, used, (1, 0), PLANE)


def test_no_points() -> None:
    none = np.empty((0, 3))
    place, row, bounds = sort_points(none, np.empty(0, bool), (1, 0), PLANE, cut(PLANE))
    assert len(place) == len(row) == bounds[-1] == 0
    table, _, bounds = sort_splats(
        none, np.empty(0, bool), np.empty((0, 2)), (1, 0), PLANE, cut(PLANE)
    )
    assert table.shape == (0, 4)
    assert bounds[-1] == 0
    assert REACH == 6.0
