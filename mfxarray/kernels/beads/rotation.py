"""Rotation of beads that form a rigid body, and whether they can tell one at all."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["angle_covariance", "cross_matrices", "refusal", "rotation_between"]

Array = np.ndarray[Any, Any]

# a figure thinner than this share of its length is a line as far as its rotation goes
_THINNEST = 0.05
# beads must be further from a line than this many times the error of their places
_LEAST_ERRORS = 20.0


def refusal(places: Array, error: float, *, axial_only: bool) -> str | None:
    """Return why beads cannot tell a rotation, None where they can.

    Parameters
    ----------
    places
        Beads, metres, shape (bead, 3).
    error
        Standard error of a place, metres.
    axial_only
        Whether only the rotation about z is wanted, for which x and y count.
    """
    count = len(places)
    if count < 3:
        return f"{count} beads; three or more are needed"
    used = places[:, :2] if axial_only else places
    extent = np.linalg.svd(used - used.mean(axis=0), compute_uv=False) / np.sqrt(count)
    length, thickness = extent[0], extent[1]
    if thickness <= _THINNEST * length:
        return (
            f"the {count} beads lie on a line: {length * 1e6:.3g} µm along it (rms), "
            f"{thickness * 1e9:.3g} nm across it"
        )
    if thickness <= _LEAST_ERRORS * error:
        return (
            f"the {count} beads lie {thickness * 1e9:.3g} nm from a line (rms), too little for "
            f"places known to {error * 1e9:.2g} nm"
        )
    return None


def rotation_between(fixed: Array, moved: Array, *, axial_only: bool) -> Array:
    """Return the rotation that takes one figure to another one best, shape (3, 3).

    Parameters
    ----------
    fixed, moved
        The same beads twice, shape (bead, 3). ``moved`` is about ``fixed @ R.T`` + a shift.
    axial_only
        Turn about z only.

    Notes
    -----
    Never a mirror image.

    References
    ----------
    Kabsch (1976), A solution for the best rotation to relate two sets of vectors. Acta Cryst. A 32,
    922.
    """
    one, two = fixed - fixed.mean(axis=0), moved - moved.mean(axis=0)
    size = 2 if axial_only else 3
    u, _, vt = np.linalg.svd(one[:, :size].T @ two[:, :size])
    signs = np.ones(size)
    signs[-1] = np.sign(np.linalg.det(u @ vt)) or 1.0
    found = np.eye(3)
    found[:size, :size] = (vt.T * signs) @ u.T
    return found


def angle_covariance(places: Array, variance: Array, *, axial_only: bool) -> Array:
    """Return the covariance of the three rotation angles, square radians, shape (3, 3).

    Parameters
    ----------
    places
        Beads relative to the pivot, shape (bead, 3).
    variance
        Variance of a place along x, y, z, shape (3,).
    axial_only
        Whether only the angle about z was found; the others have no variance.

    Notes
    -----
    Of the least squares with equal weights, so of what `rotation_between` does.
    """
    slopes = cross_matrices(places)  # (bead, 3, 3): how far a small angle moves each bead
    if axial_only:
        slopes = slopes[:, :2, 2:]
        variance = variance[:2]
    inverse = np.linalg.pinv(np.einsum("bia,bic->ac", slopes, slopes))
    middle = np.einsum("bia,i,bic->ac", slopes, variance, slopes)
    found = np.zeros((3, 3))
    part = slice(2, 3) if axial_only else slice(0, 3)
    found[part, part] = inverse @ middle @ inverse
    return found


def cross_matrices(vectors: Array) -> Array:
    """Return for every vector v the matrix M with M @ a = a x v, shape (vector, 3, 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    nothing = np.zeros_like(x)
    rows = [[nothing, z, -y], [-z, nothing, x], [y, -x, nothing]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
