"""The pictures of a resolution say what is in the table."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.resolution.correlate import resolution, resolution_over_time
from mfxarray.plot.figures import save
from mfxarray.plot.resolution import resolution as draw
from mfxarray.plot.resolution import resolution_over_time as draw_times
from tests.minflux.resolution.test_correlate import FIELD, blobs
from tests.plot.looking import drawn, inside


@pytest.fixture(scope="module")
def found():
    return resolution(blobs(sites=200), limits=FIELD, repeats=3).compute()


def test_the_title_carries_the_numbers(found, tmp_path):
    figure = draw(found, title="run_$1.npy")
    (place,) = figure.axes
    title = place.get_title()
    for name in ("mean", "low", "high"):
        assert f"{float(found[f'resolution_{name}']) * 1e9:.2f}" in title
    assert "95 %" in title
    assert "split by trace" in title
    labels = [text.get_text() for text in place.get_legend().get_texts()]
    assert labels == ["mean of 3 splits", "threshold 0.143"]
    assert inside(drawn(figure))
    save(figure, tmp_path / "resolution.png")


def test_the_curves_are_those_of_the_table(found):
    (place,) = draw(found).axes
    lines = place.get_lines()
    for line, curve in zip(lines[:3], found["correlation_smoothed"].values, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
    # the threshold is in sight, and the crossing
    crossing = 1e-9 / float(found["resolution_mean"])
    assert place.get_xlim()[1] > 1.5 * crossing


@pytest.mark.parametrize("threshold", ["half-bit", 0.5])
def test_one_split_and_other_thresholds(threshold):
    table = resolution(blobs(sites=200), limits=FIELD, repeats=1, threshold=threshold)
    (place,) = draw(table).axes
    assert "%" not in place.get_title()
    told = place.get_legend().get_texts()[1].get_text()
    assert told == ("threshold 0.500" if threshold == 0.5 else "threshold half-bit")


def test_shells_and_no_crossing():
    limits = (*FIELD, (-100e-9, 300e-9))
    table = resolution(blobs(), limits=limits, dimensions=3, pixel=16e-9, repeats=2, tile=32)
    figure = draw(table)
    assert "shell" in figure.axes[0].get_ylabel()
    assert "not every split" in figure.axes[0].get_title()
    assert inside(figure)


def test_over_time():
    table = resolution_over_time(blobs(sites=200), 4, limits=FIELD, repeats=2)
    figure = draw_times(table, title="run")
    (place,) = figure.axes
    np.testing.assert_allclose(place.get_lines()[1].get_xdata(), table["until"].values / 60)
    assert "8000 points" in place.get_title()
    assert inside(figure)


def test_other_tables(found):
    with pytest.raises(ValueError, match="no resolution"):
        draw(found.drop_vars("correlation_smoothed"))
    with pytest.raises(ValueError, match="no times"):
        draw_times(found)
