"""Rotations of beads against scipy, and figures that cannot tell one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mfxarray.kernels.beads.rotation import (
    angle_covariance,
    cross_matrices,
    refusal,
    rotation_between,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("seed", range(5))
def test_equals_scipy(seed):
    rng = np.random.default_rng(seed)
    fixed = rng.normal(size=(5, 3)) * 1e-5
    turn = Rotation.from_rotvec(rng.normal(size=3))
    moved = turn.apply(fixed) + 1e-6 + rng.normal(size=(5, 3)) * 1e-8
    expected, _ = Rotation.align_vectors(moved - moved.mean(0), fixed - fixed.mean(0))
    found = rotation_between(fixed, moved, axial_only=False)
    np.testing.assert_allclose(found, expected.as_matrix(), atol=1e-12)


def test_never_a_mirror_image():
    fixed = RNG.normal(size=(4, 3))
    found = rotation_between(fixed, fixed * [1, 1, -1], axial_only=False)
    assert np.linalg.det(found) == pytest.approx(1)


def test_about_z_only():
    fixed = RNG.normal(size=(4, 3))
    moved = Rotation.from_euler("z", 0.3).apply(fixed) + np.array([0, 0, 5])
    found = rotation_between(fixed, moved, axial_only=True)
    np.testing.assert_allclose(found, Rotation.from_euler("z", 0.3).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("axial", [True, False])
def test_two_beads_are_refused(count, axial):
    assert "three or more" in refusal(RNG.normal(size=(count, 3)), 0.0, axial_only=axial)


@pytest.mark.parametrize("count", [3, 4, 10])
@pytest.mark.parametrize("axial", [True, False])
def test_a_line_is_refused(count, axial):
    line = np.linspace(0, 1e-5, count)[:, None] * [1.0, 0.5, 0.1] + [1e-5, 0, 0]
    line += RNG.normal(size=line.shape) * 1e-9
    assert "on a line" in refusal(line, 1e-10, axial_only=axial)


def test_beads_above_each_other_tell_no_turn_about_z():
    beads = np.array([[0, 0, 0], [1, 0.001, 3], [2, 0, 0], [3, 0, 2]]) * 1e-6
    assert "line" in refusal(beads, 0.0, axial_only=True)
    assert refusal(beads, 0.0, axial_only=False) is None


def test_a_figure_no_larger_than_its_errors_is_refused():
    beads = RNG.normal(size=(4, 3)) * 1e-9
    assert "too little" in refusal(beads, 1e-9, axial_only=False)


def test_cross_matrices_are_cross_products():
    vectors, angle = RNG.normal(size=(6, 3)), RNG.normal(size=3)
    np.testing.assert_allclose(cross_matrices(vectors) @ angle, np.cross(angle, vectors))


@pytest.mark.parametrize("axial", [True, False])
def test_angles_scatter_as_told(axial):
    fixed = RNG.normal(size=(4, 3)) * [2, 1, 1]
    fixed -= fixed.mean(axis=0)
    sigma = np.array([1e-3, 2e-3, 3e-3])
    angles = [
        Rotation.from_matrix(
            rotation_between(fixed, fixed + RNG.normal(size=(4, 3)) * sigma, axial_only=axial)
        ).as_rotvec()
        for _ in range(4000)
    ]
    told = angle_covariance(fixed, sigma**2, axial_only=axial)
    scale = np.abs(told).max()
    if not axial:
        # Kabsch weights all axes alike, as the least squares of the formula do to first order
        np.testing.assert_allclose(np.trace(np.cov(np.transpose(angles))), np.trace(told), rtol=0.3)
    else:
        np.testing.assert_allclose(np.cov(np.transpose(angles)), told, atol=0.1 * scale)
