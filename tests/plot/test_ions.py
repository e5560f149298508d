"""The pictures of the drift of ion images."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray  # noqa: F401, registers da.mims
from mfxarray import plot
from tests.plot.looking import drawn, inside


def translations(frames=3, **coords):
    values = np.array([[0, 0], [1, -2], [3, 4]] * 100)[:frames]
    return xr.DataArray(values, coords, ("frame", "axis"), attrs={"long_name": "onto frame 0"})


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_what_is_drawn():
    axes = plot.translations(translations(confident=("frame", [True, False, True])))
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["dy"].get_ydata(), [0, 1, 3])
    np.testing.assert_array_equal(drawn["dx"].get_ydata(), [0, -2, 4])
    np.testing.assert_array_equal(drawn["not confident"].get_xdata(), [1, 1])
    np.testing.assert_array_equal(drawn["not confident"].get_ydata(), [1, -2])
    assert axes.get_ylabel() == "onto frame 0 / pixel"


def test_without_doubtful_frames_nothing_is_crossed():
    for given in (translations(), translations(confident=("frame", [True] * 3))):
        assert set(lines(plot.translations(given))) == {"dy", "dx"}


def test_axes_of_another_figure():
    figure = plot.drift(translations())
    axes = figure.axes[0]
    before = len(axes.get_lines())
    assert plot.translations(translations().T, axes) is axes
    assert len(axes.get_lines()) == before + 2


def test_many_frames_are_a_line_without_dots():
    assert lines(plot.translations(translations(300)))["dy"].get_marker() == "None"


def test_it_is_written(tmp_path):
    plot.save(plot.translations(translations()).figure, tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 5000


def test_other_dimensions_are_refused():
    for draw in (plot.translations, plot.drift):
        with pytest.raises(ValueError, match="frame, axis"):
            draw(translations().rename(axis="way"))
    with pytest.raises(ValueError, match=r"truth has the shape \(2, 2\)"):
        plot.drift(translations(), truth=np.zeros((2, 2)))


def test_the_accessor_draws_the_same():
    found, ours = translations().mims.plot_drift(), plot.translations(translations())
    for one, two in zip(found.get_lines(), ours.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_xydata(), two.get_xydata())


def test_both_pictures_have_the_same_panel():
    given = translations(confident=("frame", [True, False, True]))
    course, path, *_ = plot.drift(given).axes
    alone = plot.translations(given)
    assert course.get_ylabel() == alone.get_ylabel()
    for one, two in zip(course.get_lines(), alone.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_xydata(), two.get_xydata())
    np.testing.assert_array_equal(path.get_lines()[0].get_ydata(), [0, 1, 3])
    np.testing.assert_array_equal(path.get_lines()[0].get_xdata(), [0, -2, 4])


def test_text_of_files_is_no_formula():
    hostile = "$\\frac{$ a\x1b[31m"
    figure = plot.drift(translations().assign_attrs(long_name=hostile), title=hostile)
    assert inside(drawn(figure))
