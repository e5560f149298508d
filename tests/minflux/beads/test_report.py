"""Tables and courses of how well beads agree."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.beads.registration import fit_beads
from mfxarray.minflux.beads.report import (
    bead_courses,
    bead_residuals,
    bead_stability,
    bead_windows,
    largest_angle,
)
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


def test_courses_are_in_order_and_complete():
    fit = fit_of(beads=3, lost={1: (0,)})
    courses = bead_courses(fit)
    expected = [(0, "R1"), (0, "R2"), (0, "R3"), (1, "R2"), (1, "R3")]
    expected += [(2, "R1"), (2, "R2"), (2, "R3")]
    assert [(one.wash, one.bead) for one in courses] == expected
    for one in courses:
        track = fit.washes[one.wash].tracks[one.bead]
        assert all(part.shape == track.xyz.shape for part in one.places.values())
        np.testing.assert_allclose(one.time - track.tim, fit.time_offset[one.wash])


def test_courses_have_the_spread_of_the_table():
    fit = fit_of(beads=3, failed=0.0)
    courses, table = bead_courses(fit), bead_stability(fit)
    assert list(courses[0].places) == table["state"].values.tolist()
    for state in table["state"].values:
        beads = {one.bead for one in courses}
        rows = [
            np.concatenate([one.places[state] for one in courses if one.bead == bead])
            for bead in beads
        ]
        z = np.mean([np.nanstd(part[:, 2]) for part in rows])
        assert z == pytest.approx(float(table["std_z"].sel(state=state)), rel=1e-6)


def test_courses_start_at_0_and_come_home():
    courses = bead_courses(fit_of({"rotation": "rigid"}, beads=5, rotation_rad=1e-3))
    np.testing.assert_array_equal(courses[0].places["measured"][0], 0)
    for one in courses:
        assert np.abs(one.places["registered"].mean(axis=0)).max() < 0.5e-9
        assert np.abs(np.nanmean(one.places["left out"], axis=0)).max() < 0.5e-9


def test_a_gap_is_marked():
    _, _, beads = washes_and_beads(washes=1, traces=5, failed=0.0)
    beads[0]["str"][:, 100:120] = 0.0
    (course, *_) = bead_courses(fit_beads(beads))
    (after,) = np.flatnonzero(course.after_gap)
    assert np.diff(course.time)[after - 1] == np.diff(course.time).max()


def test_the_largest_angle_is_that_of_the_simulation():
    assert largest_angle(fit_of()) == 0
    turned = fit_of({"rotation": "rigid"}, beads=5, rotation_rad=1e-3, failed=0.0)
    assert largest_angle(turned) == pytest.approx(2e-3, rel=0.05)


def test_windows_where_enough_beads_are_there():
    settings = {"washes": 2, "failed": 0.0, "ends": {(1, 0): 0.5, (1, 1): 0.5}}
    loose, strict = (bead_windows(fit_of({"least_beads": n}, **settings)) for n in (1, 3))
    assert loose["end"].values[1] > 1990
    assert 990 < strict["end"].values[1] <= 1001
    assert loose["start"].values[0] == 0
    assert strict["start"].values[0] == 2
    assert loose["unknown"].values.tolist() == [0, 0]


def test_time_without_beads_is_counted():
    _, _, beads = washes_and_beads(washes=1, traces=5, failed=0.0)
    beads[0]["str"][:, 100:120] = 0.0
    assert 79 < bead_windows(fit_beads(beads))["unknown"].values[0] < 85
