"""Which beads can be used, and why not."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.beads.beads import BeadRules, bead_tracks, validate_beads
from tests.minflux.wash_samples import washes_and_beads


@pytest.fixture
def beads():
    return washes_and_beads(washes=1, traces=5, failed=0.0, ends={(0, 3): 0.5})[2][0]


def test_facts_of_tracks(beads):
    beads["str"][0, 10:15] = 0.0
    beads["position"][1, 7, 2] = np.nan
    table = validate_beads(beads)
    assert table["valid"].values.all()
    assert table["n_failed"].values.tolist() == [5, 1, 0, 0]
    assert table["longest_gap"].values[0] == 24
    assert table["n_gaps"].values.tolist() == [1, 0, 0, 0]
    assert table["gap_time"].values[0] == 24
    assert table["interval"].values.tolist() == [4.0] * 4
    assert table["missing_end"].values[3] > 990
    assert table["start"].attrs["units"] == "s"


@pytest.mark.parametrize(
    ("rules", "reasons"),
    [
        ({"most_missing": 10.0}, ["", "", "", "ends 1000 s earlier than the others"]),
        ({"least_samples": 400}, ["", "", "", "249 good samples, 400 are needed"]),
    ],
)
def test_rules(beads, rules, reasons):
    found = validate_beads(beads, BeadRules(**rules))
    for told, expected in zip(found["reason"].values, reasons, strict=True):
        assert bool(told) == bool(expected)
    assert found["reason"].values[3].split(" ", 2)[2] == reasons[3].split(" ", 2)[2]
    assert found["valid"].values.tolist() == [True, True, True, False]


def test_failed_and_unchosen_and_excluded(beads):
    beads["str"][0, :400] = 0.0
    beads["used"][1] = False
    table = validate_beads(beads, BeadRules(used_only=True), exclude=["R3"])
    assert "failed" in table["reason"].values[0]
    assert table["reason"].values[1:3].tolist() == ["not chosen at the instrument", "excluded"]
    assert list(bead_tracks(beads, BeadRules(used_only=True), exclude=["R3"])) == ["R4"]


def test_a_bead_without_any_sample_is_no_crash(beads):
    beads["str"][:] = 0.0
    table = validate_beads(beads)
    assert not table["valid"].values.any()
    assert np.isnan(table["start"]).all()
    assert bead_tracks(beads, BeadRules()) == {}


def test_wrong_input(beads):
    with pytest.raises(ValueError, match="no bead R9"):
        validate_beads(beads, exclude=["R9"])
    with pytest.raises(ValueError, match="these are no beads"):
        validate_beads(beads.drop_vars("str"))
    for wrong in ({"least_samples": 1}, {"most_failed": 2.0}, {"max_gap": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            BeadRules(**wrong)
