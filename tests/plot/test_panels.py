"""Colour limits, scale bars and text."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.mims.pixel_grid import PixelGrid
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import (
    extent_of,
    limits_of,
    panel_figure,
    plain_text,
    round_length,
    scale_bar,
)
from tests.plot.looking import drawn


def test_percentiles() -> None:
    values = np.arange(1001.0)
    assert limits_of(values, (1, 99)) == (10.0, 990.0)
    values[500:510] = np.nan
    low, high = limits_of(values, (0, 100))
    assert (low, high) == (0.0, 1000.0)


@pytest.mark.parametrize(
    "values",
    [np.zeros(9, "u4"), np.full(9, 7.0), np.full(9, np.nan), np.zeros(0), np.full(9, -3.0)],
)
def test_that_limits_are_apart(values: np.ndarray) -> None:
    low, high = limits_of(values, (1, 99))
    assert np.isfinite([low, high]).all()
    assert low < high


@pytest.mark.parametrize("percentiles", [(5, 5), (99, 1), (-1, 50), (0, 101)])
def test_wrong_percentiles(percentiles: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="percentiles rise"):
        limits_of(np.zeros(3), percentiles)


@pytest.mark.parametrize("columns", [None, 1, 2, 9])
@pytest.mark.parametrize("shape", [(10, 10), (1, 500), (500, 1)])
def test_figures_of_any_shape(shape: tuple[int, int], columns: int | None) -> None:
    figure, places = panel_figure(PixelGrid(shape), 5, columns)
    assert len(places) == 5
    assert max(figure.get_size_inches()) < 40
    with pytest.raises(ValueError, match="columns"):
        panel_figure(PixelGrid(shape), 5, 0)


def test_that_the_scale_bar_is_as_long_as_it_says() -> None:
    grid = PixelGrid((40, 100), (0.2, 1.2), (0.4, 0.4), in_um=True)
    place = new_figure(3, 2).subplots()
    scale_bar(place, grid)
    (line,) = place.get_lines()
    (text,) = place.texts
    xs = line.get_xdata()
    assert text.get_text() == "10 µm"
    assert xs[1] - xs[0] == pytest.approx(10)
    left, right, bottom, top = extent_of(grid)
    assert (left, right, bottom, top) == pytest.approx((1.0, 41.0, 16.0, 0.0))
    assert left < xs[0] < xs[1] < right
    assert top < line.get_ydata()[0] < bottom


def test_no_scale_bar_without_a_scale() -> None:
    place = new_figure(3, 2).subplots()
    scale_bar(place, PixelGrid((4, 4)))
    assert not place.get_lines()


@pytest.mark.parametrize(("wished", "given"), [(1.0, 1.0), (0.99, 0.5), (4.9, 2), (730.0, 500)])
def test_round_lengths(wished: float, given: float) -> None:
    assert round_length(wished) == pytest.approx(given)


@pytest.mark.parametrize("text", ["$x$", "$\\frac{", "a\n\x1b[2J", "50% $", "\ud800"])
def test_that_text_is_no_formula(text: str) -> None:
    figure = new_figure(2, 1)
    figure.suptitle(plain_text(text))
    drawn(figure)
