"""The picture of the drift."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.mims.drift import plot_drift


def translations(frames=3, **coords):
    values = np.array([[0, 0], [1, -2], [3, 4]] * 100)[:frames]
    return xr.DataArray(values, coords, ("frame", "axis"), attrs={"long_name": "onto frame 0"})


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_what_is_drawn():
    axes = plot_drift(translations(confident=("frame", [True, False, True])))
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["dy"].get_ydata(), [0, 1, 3])
    np.testing.assert_array_equal(drawn["dx"].get_ydata(), [0, -2, 4])
    np.testing.assert_array_equal(drawn["not confident"].get_xdata(), [1, 1])
    np.testing.assert_array_equal(drawn["not confident"].get_ydata(), [1, -2])
    assert axes.get_ylabel() == "onto frame 0 / pixel"


def test_without_doubtful_frames_nothing_is_crossed():
    for given in (translations(), translations(confident=("frame", [True] * 3))):
        assert set(lines(plot_drift(given))) == {"dy", "dx"}


def test_axes_of_another_figure():
    figure = plot.drift(translations())
    axes = figure.axes[0]
    before = len(axes.get_lines())
    assert plot_drift(translations().T, axes) is axes
    assert len(axes.get_lines()) == before + 2


def test_many_frames_are_a_line_without_dots():
    assert lines(plot_drift(translations(300)))["dy"].get_marker() == "None"


def test_it_is_written(tmp_path):
    plot.save(plot_drift(translations()).figure, tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 5000


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="frame, axis"):
        plot_drift(translations().rename(axis="way"))
