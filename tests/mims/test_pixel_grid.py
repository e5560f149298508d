"""Grids of images."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.pixel_grid import grid_of
from tests.mims.counted_samples import ion_stack


def test_positions_and_back():
    grid = grid_of(ion_stack())
    assert grid.shape == (12, 10)
    rows, columns = grid.positions()
    np.testing.assert_allclose(rows, ion_stack()["y"])
    np.testing.assert_allclose(columns, ion_stack()["x"])
    np.testing.assert_allclose(grid.to_pixels(np.array([0.05, 0.25]), "um"), [0.5, 2.5])
    np.testing.assert_allclose(grid.to_positions(np.array([0.5, 2.5])), [0.05, 0.25])


def test_a_part_of_an_image_keeps_its_positions():
    part = ion_stack().isel(y=slice(4, 9), x=slice(2, None))
    grid = grid_of(part)
    np.testing.assert_allclose(grid.to_pixels(np.array([0.45, 0.25]), "um"), [0.5, 0.5])


def test_without_coordinates_it_is_pixels():
    grid = grid_of(xr.DataArray(np.zeros((3, 4)), dims=("y", "x")))
    assert not grid.in_um
    np.testing.assert_array_equal(grid.positions()[1], [0.5, 1.5, 2.5, 3.5])
    with pytest.raises(ValueError, match="give pixels"):
        grid.to_pixels(np.zeros(2), "um")


def test_one_row():
    grid = grid_of(ion_stack().isel(y=slice(3, 4)))
    assert grid.step == pytest.approx((0.1, 0.1))
    assert not grid_of(ion_stack().isel(y=[0], x=[0])).in_um


def test_what_is_refused():
    stack = ion_stack()
    with pytest.raises(ValueError, match="dimensions y and x"):
        grid_of(stack.isel(y=0))
    with pytest.raises(ValueError, match="no pixels"):
        grid_of(stack.isel(y=slice(0)))
    with pytest.raises(ValueError, match="even steps"):
        grid_of(stack.isel(y=[0, 1, 5]))
    with pytest.raises(ValueError, match="units"):
        grid_of(stack).to_pixels(np.zeros(2), "nm")
