"""Presets and parameters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mfxarray.minflux.drift.settings import PRESETS, settings_of


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [(2, (2e-9, 10.0, 0.5, 0.1, 20)), (3, (5e-9, 8.0, 0.2, 0.01, 16))],
)
def test_the_table_of_the_seed(dimensions, expected):
    for name in ("seed", "paint21"):
        found = settings_of(name, {}).of_dimensions(dimensions)
        values = (
            found.pixel,
            found.centroid,
            found.far_weight,
            found.roughness,
            found.peak().search,
        )
        assert values == expected
        assert (found.fwhm, found.iterations, found.max_distance) == (3.0, 20, None)
    assert (PRESETS["seed"].shortest, PRESETS["paint21"].shortest) == (400.0, 600.0)


def test_weights_of_the_seed_fall_from_neighbours_on():
    found = settings_of("seed", {}).of_dimensions(2)
    distances = np.array([1, 2, 4])
    weights = found.pair_weights(distances, np.ones((3, 2)), np.ones(3), 5)
    np.testing.assert_allclose(weights, [1.0, 0.875, 0.625])


def test_our_weights_go_by_localizations_and_quality():
    found = settings_of("default", {}).of_dimensions(2)
    counts = np.array([[100, 100], [100, 400], [100, 100]])
    weights = found.pair_weights(np.ones(3, int), counts, np.array([1.0, 1.0, 0.0]), 5)
    assert weights[1] == pytest.approx(2 * weights[0])
    assert weights[2] == 0
    assert weights.mean() == pytest.approx(1.0)


def test_ours_has_no_penalty():
    assert settings_of("default", {}).of_dimensions(3).roughness == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel": 0.0}, "pixel must be above 0"),
        ({"centroid": float("inf")}, "centroid must be above 0"),
        ({"roughness": -1.0}, "roughness must be 0 or above"),
        ({"iterations": 0}, "iterations must be a whole number"),
        ({"max_distance": 1.5}, "max_distance must be a whole number"),
        ({"weights": "mean"}, "weights must be one of localizations, distance"),
        ({"beyond": "spline"}, "beyond must be one of"),
        ({"coarse": (0.5,)}, "coarse must be whole factors"),
        ({"quantiles": (0.9, 0.1)}, "quantiles must rise"),
        ({"false_alarm": 0.0}, "false_alarm is above 0"),
        ({"points": "means"}, "points must be one of traces, localizations"),
    ],
)
def test_wrong_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        settings_of("default", change).of_dimensions(2)


def test_settings_are_recorded_as_json():
    text = json.dumps(settings_of("default", {}).of_dimensions(2).parameters(), allow_nan=False)
    assert json.loads(text)["longest"] is None


def test_own_settings_are_taken():
    own = settings_of("seed", {"iterations": 5})
    assert settings_of(own, {}).iterations == 5
