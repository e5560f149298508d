"""Sums of halves do not depend on blocks, files or how images are made."""

from __future__ import annotations

from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.chunked.resolution import Split, coefficients, sums_of_halves
from mfxarray.kernels.rendering.grids import Grid
from mfxarray.kernels.resolution.halves import split_words
from mfxarray.kernels.resolution.ring_curves import correlation
from mfxarray.kernels.resolution.ring_fields import Field, field_of
from mfxarray.testing import raise_if_computes

NM = 1e-9
SIDE = 200


def field(tile: int | None = None, axes: int = 2, **choices: object) -> Field:
    shape = (SIDE, SIDE + 30) if axes == 2 else (40, 50, 60)
    # no frequency lies halfway between rings, where the last bit decides
    choices = {"width": 1.00013 / (min(shape) * NM), **choices}
    return field_of(Grid((0.0,) * axes, (NM,) * axes, shape), tile=tile, **choices)


@pytest.fixture(scope="module")
def cloud() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, which of them count, and their traces; some lie outside."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-5, 240, (6000, 3)) * NM
    places[:, 2] *= 0.15
    used = rng.random(6000) < 0.9
    places[~used] = np.nan
    return places, used, np.sort(rng.integers(0, 700, 6000))


def sums(cloud, chunk=6000, at=None, keys=True, repeats=3, steps=None, disk=None, seed=5):
    places, used, tid = cloud
    columns = (da.from_array(tid, chunk),) if keys else ()
    late = None if steps is None else (da.from_array(steps, chunk), 3)
    return sums_of_halves(
        da.from_array(used, chunk),
        da.from_array(places, (chunk, -1)),
        at or field(),
        Split(seed, repeats, columns),
        late,
        disk,
    )


def plain(cloud, at: Field, words, split, until=None):
    """The same by NumPy alone, whole field in one image."""
    places, used, _ = cloud
    edges = [at.grid.edges(axis) for axis in range(len(at.grid.shape))]
    found, points = [], []
    first = words >> np.uint64(split) & np.uint64(1) == 1
    for half in (first, ~first):
        kept = used & half & (True if until is None else until)
        image = np.histogramdd(places[kept][:, list(at.columns)], edges)[0]
        points.append(image.sum())
        padded = np.zeros(at.rings.shape)
        padded[tuple(slice(0, n) for n in image.shape)] = image
        found.append(np.fft.fftn(padded))
    axes = [np.fft.fftfreq(n, NM) for n in at.rings.shape]
    q = np.sqrt(sum(part**2 for part in np.meshgrid(*axes, indexing="ij")))
    ring = np.floor(q / at.rings.width + 0.5).astype(int).ravel()
    one, two = found
    parts = [(one * two.conj()).real, abs(one) ** 2, abs(two) ** 2]
    n = at.rings.count
    return [np.bincount(ring, part.ravel(), minlength=n)[:n] for part in parts], points


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("keys", [True, False])
def test_the_sums_are_those_of_plain_images(cloud, axes, keys):
    at = field(axes=axes)
    found, points = dask.compute(*sums(cloud, 900, at, keys))
    words = split_words(5, [cloud[2] if keys else np.arange(6000)])
    for split in range(3):
        expected, counts = plain(cloud, at, words, split)
        np.testing.assert_allclose(found[0, split], expected, rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(points[0, split], counts)


@pytest.mark.parametrize("tile", [None, 64, 32])
@pytest.mark.parametrize("chunk", [6000, 1999, 300])
@pytest.mark.parametrize("scheduler", ["threads", "sync"])
@pytest.mark.parametrize("disk", [True, False])
def test_the_same_bits_for_all_blocks(cloud, tile, chunk, scheduler, disk, tmp_path):
    at = field(tile)
    expected = dask.compute(*sums(cloud, at=at), scheduler="sync")
    with mfx.set_options(scratch_folder=str(tmp_path)):
        found = dask.compute(*sums(cloud, chunk, at, disk=disk), scheduler=scheduler)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not list(Path(tmp_path).iterdir())


def test_a_split_does_not_depend_on_how_many_there_are(cloud):
    few, many = (dask.compute(*sums(cloud, repeats=n)) for n in (1, 12))
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one[:, :1], other[:, :1])


def test_tiles_add_up(cloud):
    at = field(64)
    assert at.tiles.count == 4 * 4
    found, points = dask.compute(*sums(cloud, 700, at))
    words = split_words(5, [cloud[2]])
    expected = 0.0
    for number in range(at.tiles.count):
        _, y, x = at.tiles.corner(number)
        _, rows, columns = at.tiles.shape_of(number)
        inner = Field(Grid((y * NM, x * NM), (NM, NM), (rows, columns)), at.tiles, at.rings)
        part, _ = plain(cloud, inner, words, 1)
        expected = expected + np.array(part)
    np.testing.assert_allclose(found[0, 1], expected, rtol=1e-3, atol=1)
    inside = ((cloud[0][:, :2] >= 0) & (cloud[0][:, :2] <= [230 * NM, 200 * NM])).all(axis=1)
    np.testing.assert_array_equal(points.sum(axis=2), np.full((1, 3), inside.sum()))


def test_points_come_in_steps(cloud):
    step = (np.arange(6000) // 1500).astype(np.int32)
    found, points = dask.compute(*sums(cloud, 800, steps=step))
    words = split_words(5, [cloud[2]])
    for number in range(3):
        expected, counts = plain(cloud, field(), words, 0, step <= number)
        np.testing.assert_allclose(found[number, 0], expected, rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(points[number, 0], counts)


@pytest.mark.parametrize("tile", [None, 32])
@pytest.mark.parametrize("rows", [0, 1])
def test_next_to_nothing(tile, rows):
    cloud = np.full((rows, 3), 20 * NM), np.ones(rows, bool), np.arange(rows)
    found, points = dask.compute(*sums(cloud, 5, field(tile)))
    assert points.sum() == rows * 3
    assert np.isnan(correlation(found)).all()


def test_nothing_is_computed(cloud):
    with raise_if_computes():
        sums(cloud, 500)
        coefficients(field())


@pytest.mark.parametrize("tile", [None, 32])
def test_added_zeros_and_tiles_do_not_make_coefficients(tile):
    at = field(tile)
    found = coefficients(at).compute()
    # up to the edge of a circle in the square
    whole = SIDE * (SIDE + 30) * np.pi / 4
    assert found.sum() == pytest.approx(whole, rel=0.1)
