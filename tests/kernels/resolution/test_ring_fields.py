"""How fields are cut, and how far their rings reach."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.rendering.grids import Grid
from mfxarray.kernels.resolution.fourier_rings import ring_coefficients
from mfxarray.kernels.resolution.ring_fields import field_of

NM = 1e-9


def grid(*shape: int, size: float = NM) -> Grid:
    return Grid((0.0,) * len(shape), (size,) * len(shape), shape)


def test_a_small_field_is_one_image_of_a_fast_size():
    field = field_of(grid(4030, 4037))
    assert field.tiles.count == 1
    assert field.rings.shape == (4032, 4050)
    assert field.rings.width == pytest.approx(1 / 4030e-9)
    assert field.rings.frequency[-1] <= 0.5e9 < field.rings.frequency[-1] + field.rings.width


@pytest.mark.parametrize("shape", [(100, 100), (97, 128), (250, 64), (20, 40, 64), (17, 19, 23)])
@pytest.mark.parametrize("pad", [True, False])
def test_no_ring_is_empty(shape, pad):
    field = field_of(grid(*shape), pad=pad)
    assert (ring_coefficients(field.rings) > 0).all()


@pytest.mark.parametrize(
    ("shape", "tile", "count", "transformed"),
    [
        ((20_000, 9000), None, 5 * 3, (4096, 4096)),
        ((9000, 3001), None, 1, (9000, 3072)),
        ((400, 400, 300), None, 2 * 2 * 2, (256, 256, 256)),
        ((400, 4000, 4000), None, 2 * 16 * 16, (256, 256, 256)),
        ((300, 100), 64, 5 * 2, (64, 64)),
        ((300, 40), 64, 5, (64, 40)),
    ],
)
def test_large_fields_are_cut(shape, tile, count, transformed):
    field = field_of(grid(*shape), tile=tile)
    assert field.tiles.count == count
    assert field.rings.shape == transformed
    assert field.filled == pytest.approx(np.prod(shape) / (count * np.prod(transformed)))


def test_rings_of_the_seed():
    field = field_of(grid(3000, 2500), width=5e5, corners=True, pad=False)
    assert field.rings.width == 5e5
    highest = np.sqrt(2) * 0.5e9
    assert field.rings.frequency[-1] < 0.8 * highest <= field.rings.frequency[-1] + 5e5
    # a field of less than 2 µm would have empty rings
    assert field_of(grid(500, 400), width=5e5).rings.width == pytest.approx(1 / 400e-9)


@pytest.mark.parametrize("tile", [0, 8, 100, -64])
def test_wrong_tiles(tile):
    with pytest.raises(ValueError, match="power of two"):
        field_of(grid(64, 64), tile=tile)
