"""The picture of beads says what the tables say."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray import plot
from mfxarray.minflux.beads.registration import fit_beads
from mfxarray.minflux.beads.report import bead_stability
from tests.minflux.wash_samples import washes_and_beads
from tests.plot.looking import drawn, inside


def fit_of(choices=None, **settings):
    return fit_beads(washes_and_beads(traces=5, **settings)[2], **(choices or {}))


@pytest.mark.parametrize(
    ("settings", "choices"),
    [
        ({"beads": 1}, {}),
        ({"beads": 5, "rotation_rad": 1e-3, "lost": {1: (0,)}}, {"rotation": "rigid"}),
        ({"washes": 1, "depth_m": 0.0}, {}),
    ],
)
def test_what_is_drawn(settings, choices):
    figure = plot.beads(fit_of(choices, **settings), title="run")
    figure.canvas.draw()
    assert figure.get_suptitle().startswith("run: ")
    many = settings.get("washes", 3)
    assert f"{many} wash{'' if many == 1 else 'es'}, " in figure.get_suptitle()
    assert figure.axes[0].get_ylabel() == "x / nm"
    assert figure.axes[-1].get_xlabel().endswith("/ s")
    assert inside(figure)


def test_lines_are_the_tracks_in_nm():
    fit = fit_of(beads=3, washes=2, lost={1: (0,)})
    figure = plot.beads(fit)
    for axis in range(3):
        lines = [line for line in figure.axes[3 * axis].get_lines() if len(line.get_xdata()) > 2]
        tracks = [(one, track) for one in fit.washes for track in one.tracks.values()]
        assert len(lines) == len(tracks) == 5
        for line, (_, track) in zip(lines[:3], tracks[:3], strict=True):
            moved = (track.xyz - track.xyz[0])[:, axis] * 1e9
            shown = np.asarray(line.get_ydata())
            known = np.isfinite(shown)
            np.testing.assert_allclose(shown[known], moved[known])
            assert known.mean() > 0.9


def test_a_bead_has_one_colour_and_one_name():
    figure = plot.beads(fit_of(beads=3, lost={1: (0,)}))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["R1", "R2", "R3"]
    colors = [line.get_color() for line in legend.get_lines()]
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 2]
    drawn_colors = [line.get_color() for line in lines]
    assert drawn_colors == [*colors, *colors[1:], *colors]


def test_titles_carry_the_numbers():
    fit = fit_of(beads=3)
    titles = [place.get_title() for place in plot.beads(fit).axes[:3]]
    for title, xy in zip(titles, bead_stability(fit)["std_xy"].values, strict=True):
        assert f"std xy {xy * 1e9:.3g} nm" in title


def test_one_bead_by_itself_tells_nothing():
    figure = plot.beads(fit_of(beads=1, washes=1))
    assert "tells nothing" in figure.axes[1].get_title()
    assert figure.get_suptitle() == "1 wash, 1 bead, translation only"


def test_text_of_files_is_no_formula():
    fit = fit_of(beads=2, washes=1)
    figure = drawn(plot.beads(fit, title="$\\frac{$ a"))
    assert figure.get_suptitle().startswith(r"\$")
