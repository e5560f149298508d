"""Images of points in blocks: the same bits however they are cut, and bounded memory."""

from __future__ import annotations

import tracemalloc

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked import rendering
from mfxarray.chunked.points import Points, extent_of
from mfxarray.chunked.rendering import draw, tiles_of
from mfxarray.kernels.rendering.drawing import Drawing
from mfxarray.kernels.rendering.grids import Grid, Tiles

GRID = Grid((-3.0, 1.0), (0.25, 0.5), (130, 70))
SPACE = Grid((-1.0, -3.0, 1.0), (1.0, 0.25, 0.5), (5, 130, 70))
N = 1200
CHUNKINGS = [N, 331, (1, 300, 0, 499, 400), 50]


def data(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    position = np.stack(
        [rng.uniform(0, 37, N), rng.uniform(-5, 32, N), rng.uniform(-1, 4, N)], axis=1
    )
    position[::50, 0] = np.nan
    return {
        "used": rng.random(N) < 0.8,
        "position": position,
        "sigma": rng.uniform(0.1, 1.0, (N, 2)),
        "amounts": rng.normal(size=(N, 2)),
        "channel": rng.integers(-1, 3, N).astype(np.int32),
    }


def points(chunks, *names: str, seed: int = 0) -> Points:
    found = data(seed)
    wanted = {
        name: da.from_array(found[name], chunks=(chunks, -1)[: found[name].ndim])
        for name in ("used", "position", *names)
    }
    return Points(**wanted)


def tiles(grid: Grid) -> Tiles:
    return Tiles(grid.solid()[2], (2, 6, 5))


DRAWINGS = {
    "counts": (Drawing(GRID, tiles(GRID), (1, 0)), ()),
    "volume": (Drawing(SPACE, tiles(SPACE), (2, 1, 0)), ()),
    "channels": (Drawing(GRID, tiles(GRID), (1, 0), channels=3), ("channel",)),
    "sums": (Drawing(GRID, tiles(GRID), (1, 0), amounts=2), ("amounts",)),
    "splats": (Drawing(GRID, tiles(GRID), (1, 0), splats=True, sigma=(0.5, 0.7)), ()),
    "volume of splats": (
        Drawing(SPACE, tiles(SPACE), (2, 1, 0), splats=True, sigma=(0.5, 0.5, 0.7)),
        (),
    ),
    "all": (
        Drawing(GRID, tiles(GRID), (1, 0), splats=True, channels=3, amounts=2),
        ("sigma", "amounts", "channel"),
    ),
}


def arrays(drawn) -> list[da.Array]:
    return [array for array in (drawn.counts, *drawn.sums) if array is not None]


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(rendering, "GROUP_ROWS", 150)


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("held", [512 * 2**20, 30_000])
def test_bits_of_every_chunking_and_scheduler(name: str, held: int, monkeypatch) -> None:
    drawing, needed = DRAWINGS[name]
    wanted = None
    for chunks in CHUNKINGS:
        monkeypatch.setattr(rendering, "HELD_BYTES", 512 * 2**20 if wanted is None else held)
        drawn = arrays(draw(points(chunks, *needed), drawing))
        for scheduler in ("synchronous", "threads") if wanted is None else ("threads",):
            found = dask.compute(*drawn, scheduler=scheduler, num_workers=4)
            if wanted is None:
                wanted = found
                assert all(np.abs(image).sum() > 0 for image in found)
            for image, first in zip(found, wanted, strict=True):
                assert image.tobytes() == first.tobytes()


def test_that_small_memory_takes_several_passes(monkeypatch) -> None:
    drawing, _ = DRAWINGS["counts"]
    monkeypatch.setattr(rendering, "HELD_BYTES", 4_000)
    read = []

    def look(block: np.ndarray) -> np.ndarray:
        read.append(len(block))
        return block

    source = points(400)
    seen = source.position.map_blocks(look, dtype=float, meta=np.empty((0, 0)))
    counts = draw(Points(source.used, seen), drawing).counts
    assert read == []
    counts.compute(scheduler="synchronous")
    bands = -(-drawing.tiles.count // max(4_000 // drawing.tile_bytes, 1))
    assert bands > 2
    assert read == [400] * 3 * bands
    # one tile needs one pass
    read.clear()
    counts[0, 0, 0:64, :32].compute(scheduler="synchronous")
    assert read == [400] * 3


@pytest.mark.parametrize("name", ["counts", "volume", "channels", "sums"])
def test_against_numpy(name: str) -> None:
    drawing, needed = DRAWINGS[name]
    found = data()
    known = found["used"] & ~np.isnan(found["position"]).any(axis=1)
    drawn = draw(points(700, *needed), drawing)
    grid = drawing.grid
    edges = [grid.edges(axis) for axis in range(len(grid.shape))]

    def numpys(rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        sample = found["position"][rows][:, list(drawing.columns)]
        return np.histogramdd(sample, bins=edges, weights=weights)[0]

    counts = drawn.counts.compute()
    assert counts.dtype == np.uint32
    channels = [known & (found["channel"] == n) for n in range(3)] if needed else []
    several = channels if name == "channels" else [known]
    for image, rows in zip(counts, several, strict=True):
        np.testing.assert_array_equal(image.reshape(grid.shape), numpys(rows))
    for number, image in enumerate(drawn.sums):
        wanted = numpys(known, found["amounts"][known, number])
        np.testing.assert_allclose(image[0, 0], wanted, atol=1e-12)


def test_that_a_tile_is_a_block_and_nothing_is_done_yet() -> None:
    def fail(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    source = points(700)
    lazy = source.position.map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    counts = draw(Points(source.used, lazy), DRAWINGS["counts"][0]).counts
    assert counts.shape == (1, 1, 130, 70)
    assert counts.chunks[2] == (64, 64, 2)
    assert counts.chunks[3] == (32, 32, 6)
    with pytest.raises(AssertionError, match="computed"):
        counts.compute(scheduler="synchronous")


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_points(rows: int) -> None:
    position = da.from_array(np.full((rows, 3), 16.0), chunks=(1, -1))
    source = Points(da.ones(rows, chunks=1, dtype=bool), position)
    for name in ("counts", "splats"):
        drawing = DRAWINGS[name][0]
        (image,) = arrays(draw(source, drawing))
        assert float(image.sum().compute()) == pytest.approx(rows, abs=1e-7)


def test_extent() -> None:
    found = data()
    known = found["used"] & ~np.isnan(found["position"]).any(axis=1)
    place = found["position"][known][:, [1, 0]]
    low, high = extent_of(points(331), (1, 0), (0.0, 0.0)).compute()
    np.testing.assert_array_equal(low, place.min(axis=0))
    np.testing.assert_array_equal(high, place.max(axis=0))
    low, high = extent_of(points(331, "sigma"), (1, 0), (6.0, 6.0)).compute()
    around = 6.0 * found["sigma"][known]
    np.testing.assert_array_equal(low, (place - around).min(axis=0))
    np.testing.assert_array_equal(high, (place + around).max(axis=0))
    none = Points(da.zeros(4, dtype=bool), da.zeros((4, 3)))
    low, high = extent_of(none, (1, 0), (0.0, 0.0)).compute()
    assert (low > high).all()


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((1, 1), (1, 128, 128)),
        ((500, 500), (1, 256, 256)),
        ((4000, 4000), (1, 1024, 1024)),
        ((10_000, 10_000), (1, 2048, 2048)),
        ((100_000, 5_000), (1, 4096, 4096)),
        ((5, 800, 800), (8, 256, 256)),
        ((200, 800, 800), (16, 256, 256)),
    ],
)
def test_sides_of_tiles(shape: tuple[int, ...], sides: tuple[int, ...]) -> None:
    found = tiles_of(shape)
    assert tuple(1 << bit for bit in found.bits) == sides
    covered = np.zeros(found.across)
    for number in range(found.count):
        covered[found.place(number)] += np.prod(found.shape_of(number))
    assert covered.sum() == np.prod(shape)


def test_that_an_endless_image_is_refused() -> None:
    grid = Grid((0.0, 0.0), (1e-9, 1e-9), (10**8, 10**8))
    with pytest.raises(ValueError, match="larger pixels"):
        draw(points(N), Drawing(grid, tiles_of(grid.shape), (1, 0)))


@pytest.mark.parametrize(
    ("held", "most"), [(448 * 2**20, 60e6), pytest.param(6_000_000, 90e6, marks=pytest.mark.slow)]
)
def test_memory_of_a_large_image(held: float, most: float, monkeypatch) -> None:
    """An image of 256 MB is reduced to its sum while only tiles and points are held."""
    monkeypatch.setattr(rendering, "GROUP_ROWS", 2**17)
    monkeypatch.setattr(rendering, "HELD_BYTES", held)
    grid = Grid((0.0, 0.0), (1.0, 1.0), (8192, 8192))
    rows = 400_000 if held > 1e8 else 1_600_000
    position = da.random.default_rng(1).uniform(0, 8192, (rows, 2), chunks=(50_000, 2))
    source = Points(da.ones(rows, chunks=50_000, dtype=bool), position)
    counts = draw(source, Drawing(grid, tiles_of(grid.shape), (1, 0))).counts
    draw(points(N), DRAWINGS["counts"][0]).counts.compute()
    tracemalloc.start()
    try:
        total = int(counts.sum().compute(scheduler="threads", num_workers=2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == rows
    assert peak < most
