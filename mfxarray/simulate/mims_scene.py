"""What a simulated sample looks like to every detector, and how it drifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from mfxarray.formats.im.im import Detector

__all__ = ["frame_size", "mims_detectors", "mims_drift", "mims_scene"]

Array = np.ndarray[Any, Any]

# label -> mass in u, element that shapes the picture, mean rate relative to 12C 14N; in the order
# in which they are taken. 13C/12C = 0.011237 (VPDB) and 15N/14N = 0.0036765 (air), everywhere.
_SPECIES: dict[str, tuple[float, str, float]] = {
    "12C 14N": (26.00307, "N", 1.0),
    "12C": (12.0, "C", 0.4),
    "13C": (13.00335, "C", 0.4 * 0.011237),
    "12C 15N": (27.00011, "N", 0.0036765),
    "31P": (30.97376, "P", 0.02),
    "32S": (31.97207, "S", 0.05),
    "16O": (15.99491, "O", 0.8),
    "18O": (17.99916, "O", 0.8 * 0.0020052),
    "19F": (18.99840, "F", 0.03),
    "12C2": (24.0, "C", 0.3),
    "12C 13C": (25.00335, "C", 0.3 * 2 * 0.011237),
    "28Si": (27.97693, "Si", 0.1),
    "35Cl": (34.96885, "Cl", 0.2),
    "37Cl": (36.96590, "Cl", 0.2 * 0.31996),
    "40Ca 16O": (55.95750, "Ca", 0.01),
    "56Fe 16O": (71.92985, "Fe", 0.005),
    "79Br": (78.91834, "Br", 0.002),
    "81Br": (80.91629, "Br", 0.002 * 0.9728),
    "127I": (126.90447, "I", 0.001),
}
_ELECTRONS = Detector("SE", "", 0.0, 8)
_SE_RATE = 0.9
_TROLLEYS = (1, 2, 3, 4, 5, 10, 11)
# random streams of one seed; the frames have 3
_SCENE, _DRIFT = 1, 2
_CELL_AREA = 600  # pixels of the field for every cell


def mims_detectors(count: int) -> tuple[Detector, ...]:
    """Return ``count`` detectors: ions by mass, SE last if there are two or more.

    Beyond 19 ions the series starts again, as it does with peak switching.
    """
    if count < 1:
        raise ValueError(f"detectors must be at least 1, not {count}")
    ions = max(count - 1, 1)
    found: list[Detector] = []
    for start in range(0, ions, len(_SPECIES)):
        labels = list(_SPECIES)[: ions - start]
        for label in sorted(labels, key=lambda key: _SPECIES[key][0]):
            trolley = _TROLLEYS[len(found) % len(_TROLLEYS)]
            repeat = start // len(_SPECIES) + 1
            name = label if repeat == 1 else f"{label}_{repeat}"
            found.append(Detector(name, label, _SPECIES[label][0], trolley))
    return tuple(found) if count == 1 else (*found, _ELECTRONS)


def mims_scene(
    detectors: int = 7,
    size: int | tuple[int, int] = 128,
    *,
    seed: int = 0,
    margin: int = 10,
    mean_counts: float = 60.0,
    contrast: float = 1.0,
) -> Array:
    """Return expected counts, shape (detector, y + 2 margin, x + 2 margin), float64.

    Parameters
    ----------
    detectors
        Number of channels, see `mims_detectors`.
    size
        Pixels of a frame, (y, x) or both.
    seed
        Of the scene.
    margin
        Pixels around the frame that drift may bring in.
    mean_counts
        Mean expected counts a pixel of 12C 14N; 500 is bright, 1 is dim.
    contrast
        1 for cells on a dark ground, 0 for the same rate everywhere.
    """
    if not (mean_counts >= 0 and 0 <= contrast <= 1 and margin >= 0):
        raise ValueError("mean_counts and margin must not be negative, contrast must be 0 to 1")
    height, width = frame_size(size)
    shape = (height + 2 * margin, width + 2 * margin)
    cells = _cells(shape, np.random.default_rng((seed, _SCENE)))
    scene = np.empty((detectors, *shape))
    for i, detector in enumerate(mims_detectors(detectors)):
        _, element, rate = _SPECIES.get(detector.label, (0.0, "SE", _SE_RATE))
        stream = int.from_bytes(element.encode(), "little")
        picture = _picture(cells, np.random.default_rng((seed, _SCENE, stream)))
        scene[i] = mean_counts * rate * (1 + contrast * (picture - 1))
    return scene


def frame_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (y, x) of a size given as a pair or as one number for both."""
    return (size, size) if isinstance(size, int) else size


def _cells(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return round cells with soft edges on a ground of 0."""
    picture = np.zeros(shape)
    for _ in range(max(4, shape[0] * shape[1] // _CELL_AREA)):
        cy, cx = rng.uniform(0, 1, 2) * shape
        radius, height = rng.uniform(3, 11), rng.uniform(0.4, 1.6)
        reach = int(radius) + 8
        top, left = max(int(cy) - reach, 0), max(int(cx) - reach, 0)
        part = picture[top : int(cy) + reach, left : int(cx) + reach]
        y, x = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part += height / (1 + np.exp(1.5 * (np.hypot(y - cy, x - cx) - radius)))
    return picture


def _picture(cells: Array, rng: np.random.Generator) -> Array:
    """Return the cells as one element shows them, with fine structure, mean 1."""
    texture = gaussian_filter(rng.standard_normal(cells.shape), 1.5)
    texture /= texture.std()
    picture = (0.15 + cells) * np.clip(1 + 0.3 * texture, 0.1, None)
    return np.asarray(picture / picture.mean())


def mims_drift(frames: int, *, seed: int = 0, drift: float = 1.0, max_drift: int = 10) -> Array:
    """Return the translations (dy, dx) of every frame, shape (frames, 2), integer.

    A random walk with steps of standard deviation ``drift``, folded back at ``max_drift`` pixels
    and rounded; the first frame is (0, 0). Longer walks of one seed start with the shorter ones.
    """
    if drift < 0 or max_drift < 0:
        raise ValueError("drift and max_drift must not be negative")
    steps = np.random.default_rng((seed, _DRIFT)).standard_normal((frames, 2)) * drift
    steps[:1] = 0
    walk = np.cumsum(steps, axis=0)
    # a walk between two mirrors: distance from -max_drift, folded with twice the width as period
    period = 4 * max_drift
    folded = np.abs((walk + 3 * max_drift) % period - 2 * max_drift) if period else 0 * walk
    return np.rint(max_drift - folded).astype(np.int64)
