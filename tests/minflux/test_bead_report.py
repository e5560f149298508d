"""Tables and picture of how well beads agree."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.bead_report import bead_residuals, bead_stability, plot_beads
from mfxarray.minflux.registration import fit_beads
from tests.minflux.wash_samples import washes_and_beads


def fit_of(choices=None, **settings):
    return fit_beads(washes_and_beads(traces=5, **settings)[2], **(choices or {}))


def test_a_bead_that_wanders_is_seen():
    fit = fit_of(beads=5, moved={(1, 2): (3e-8, 0.0, 0.0)})
    table = bead_residuals(fit, warn_above=15e-9)
    assert table["warning"].values[0].tolist() == [False] * 2 + [True] + [False] * 2
    assert table["warning"].values[1].tolist() == [False] * 2 + [True] + [False] * 2
    shift = float(table["shift"].sel(wash=1, bead="R3", axis="x"))
    # the places of beads are those of all three washes, the bead moved in two of them
    assert shift == pytest.approx(30e-9, abs=0.5e-9)


def test_residuals_scatter_as_bead_noise_does():
    table = bead_residuals(fit_of(beads=4, failed=0.0))
    # of its own noise and of a third of that of three others, joined by lines half way or less
    assert 1e-9 < float(table["std"].mean()) < np.sqrt(1 + 1 / 3) * 1e-9
    assert float(np.abs(table["mean"]).max()) < 0.3e-9
    assert (table["n_samples"] > 400).all()


def test_beads_left_out_say_why():
    fit = fit_of(lost={1: (0,)}, moved={(1, 2): (5e-7, 0.0, 0.0)})
    told = bead_residuals(fit)["left_out"]
    assert told.sel(wash=1, bead="R1").item() == "absent"
    assert "moved" in told.sel(wash=2, bead="R3").item()
    assert told.sel(wash=0, bead="R3").item() == ""


def test_stability_is_the_seeds_formula():
    fit = fit_of(beads=3, failed=0.0)
    table = bead_stability(fit)
    spread = [
        np.concatenate([one.tracks[name].xyz for one in fit.washes]).std(axis=0)
        for name in ("R1", "R2", "R3")
    ]
    x, y, z = np.mean(spread, axis=0)
    measured = table.sel(state="measured")
    assert float(measured["std_xy"]) == pytest.approx(np.sqrt((x**2 + y**2) / 2))
    assert float(measured["std_z"]) == pytest.approx(z)
    assert float(measured["se_z"]) == pytest.approx(z / np.sqrt(3))
    assert float(table.sel(state="registered")["std_xy"]) < 1.1e-9
    assert 1e-9 < float(table.sel(state="left out")["std_xy"]) < 1.5e-9


def test_one_bead_has_no_error_of_zero():
    table = bead_stability(fit_of(beads=1))
    assert np.isnan(table.sel(state="left out")["std_xy"])
    assert np.isnan(bead_residuals(fit_of(beads=1))["mean"]).all()


@pytest.mark.parametrize(
    ("settings", "choices"),
    [
        ({"beads": 1}, {}),
        ({"beads": 5, "rotation_rad": 1e-3, "lost": {1: (0,)}}, {"rotation": "rigid"}),
        ({"washes": 1, "depth_m": 0.0}, {}),
    ],
)
def test_the_picture(settings, choices):
    figure = plot_beads(fit_of(choices, **settings), title="run")
    figure.canvas.draw()
    title = figure.get_suptitle()
    assert title.startswith("run: ")
    assert f"{settings.get('washes', 3)} washes" in title
    heads = [place.get_title() for place in figure.axes[:3]]
    assert all("nm" in head or "no other" in head for head in heads)
    assert figure.axes[0].get_ylabel() == "x / nm"
    assert figure.axes[-1].get_xlabel().endswith("/ s")
