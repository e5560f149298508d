"""Whether the first or last rows and columns of ion images belong to the other edge.

Some instruments write the end of a scan before its beginning, so that every image is shifted
around its edge by a pixel or so. Then the last row resembles the first one, as neighbours do, and
somewhere near the edge two neighbouring rows differ as the opposite ends of a field differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mfxarray.formats.sources import StackSource

__all__ = ["RollTest", "compare_axis", "find_roll", "given_roll"]

Array = np.ndarray[Any, Any]

_SAMPLE_BYTES = 8 * 2**20
_LARGEST_IMAGE = 16 * 2**20  # bytes; larger ones are not tested
_NEAR = 4  # pixels from the edge that a seam may have
_LEAST = 64  # rows and columns, to know how much neighbours differ
_DIM = 0.5  # counts a pixel; images dimmer than this say nothing
# robust standard deviations above the median of all neighbours inside
_SEAM, _JOINED, _JOINED_EACH = 6.0, 3.0, 4.0


@dataclass(frozen=True)
class RollTest:
    """What the comparison of neighbouring rows, or columns, says.

    Attributes
    ----------
    verdict
        "rolled"; "fine" where no neighbours near the edge differ more than elsewhere; "unclear"
        where they do, but the opposite edges do not fit together either; "too dim" or "too small".
    roll
        Pixels that bring the image back, 0 unless the verdict is "rolled".
    seam, wrap, inside
        Difference of the neighbours at the seam, of the first and the last row, and the largest
        one inside, in robust standard deviations of the differences inside.
    """

    verdict: str
    roll: int = 0
    seam: float = 0.0
    wrap: float = 0.0
    inside: float = 0.0


def given_roll(roll: Any) -> tuple[int, int] | None:
    """Return the roll that a user asked for, None for "auto".

    Raises
    ------
    ValueError
        If it is neither two integers, "seed" nor "auto".
    """
    if isinstance(roll, str) and roll in ("seed", "auto"):
        return (1, 1) if roll == "seed" else None
    if not isinstance(roll, tuple | list) or [type(r) is int for r in roll] != [True, True]:
        raise ValueError(f'roll must be two integers (dy, dx), "seed" or "auto", not {roll!r}')
    return roll[0], roll[1]


def find_roll(stack: StackSource) -> tuple[tuple[int, int], dict[str, Any]]:
    """Return the roll (dy, dx) that mends the images, (0, 0) unless it is clear, and why.

    Parameters
    ----------
    stack
        The pixels as stored.

    Returns
    -------
    roll
        Pixels, at most 4 each way.
    evidence
        `RollTest` of "rows" and "columns" as dicts, JSON-able.

    Notes
    -----
    Reads at most 8 MB, or one image if that is larger, and nothing if an image is larger than
    16 MB. An axis that is unclear keeps the other one from being rolled: the frame then has another
    fault than a shift.
    """
    # small images first: a sample of them would be very many reads
    small = min(stack.frame_shape[1:]) < _LEAST
    images = [] if small else _sample(stack)
    if images:
        tests = [compare_axis(images, axis) for axis in (0, 1)]
    else:
        tests = [RollTest("too small" if small else "too dim")] * 2
    evidence = {name: asdict(test) for name, test in zip(("rows", "columns"), tests, strict=True)}
    if any(test.verdict == "unclear" for test in tests):
        return (0, 0), evidence
    return (tests[0].roll, tests[1].roll), evidence


def _sample(stack: StackSource) -> list[Array]:
    """Return one image for every detector that is bright enough, summed over some frames."""
    detectors, height, width = stack.frame_shape
    image = height * width * stack.dtype.itemsize
    complete = stack.n_frames - bool(stack.missing_bytes)
    if complete < 1 or image > _LARGEST_IMAGE:
        return []
    chosen = tuple(range(min(detectors, max(_SAMPLE_BYTES // image, 1))))
    count = min(complete, max(_SAMPLE_BYTES // (image * len(chosen)), 1))
    sums = np.zeros((len(chosen), height, width))
    for frame in np.linspace(0, complete - 1, count).astype(int).tolist():
        sums += stack.read(frame, frame + 1, None if len(chosen) == detectors else chosen)[0]
    return [one for one in sums if one.mean() >= _DIM]


def compare_axis(images: Sequence[Array], axis: int) -> RollTest:
    """Return whether images (y, x) are shifted around their edge along one axis.

    Parameters
    ----------
    images
        Counts of one or more detectors, of equal shape.
    axis
        0 for rows, 1 for columns.

    Notes
    -----
    The difference of two rows is the mean squared difference of their counts after Anscombe's
    transform, which makes noise equal everywhere. For each detector it is expressed in robust
    standard deviations of all differences inside; the mean over the detectors decides. It is
    decided only where the seam stands out by 6 and by half more than anything inside, and the
    first and last row differ as little as neighbours do, in every detector.
    """
    if images[0].shape[axis] < _LEAST or images[0].shape[1 - axis] < _LEAST:
        return RollTest("too small")
    each = [found for image in images if (found := _scores(image, axis)) is not None]
    if not each:
        return RollTest("too dim")
    scores = np.mean(each, axis=0)
    size, inner = len(scores), _inside(scores)
    near = [*range(_NEAR), *range(size - 1 - _NEAR, size - 1)]
    place = max(near, key=lambda pair: float(scores[pair]))
    numbers = [round(float(value), 2) for value in (scores[place], scores[-1], inner.max())]
    seam, wrap, inside = numbers
    if seam < max(_SEAM, 1.5 * inside):
        return RollTest("fine", 0, *numbers)
    fits = all(one[-1] <= max(_JOINED_EACH, np.quantile(_inside(one), 0.95)) for one in each)
    joined = wrap <= max(_JOINED, float(np.quantile(inner, 0.95)))
    if not (fits and joined):
        return RollTest("unclear", 0, *numbers)
    # the pair (i, i + 1) holds the true edge: i + 1 rows belong to the end, or the rest before it
    roll = -(place + 1) if place < size // 2 else size - 1 - place
    return RollTest("rolled", roll, *numbers)


def _scores(image: Array, axis: int) -> Array | None:
    """Return how much every row differs from the next one; the last from the first."""
    rows = 2 * np.sqrt(np.moveaxis(image, axis, 0) + 0.375)
    differences = ((np.roll(rows, -1, axis=0) - rows) ** 2).mean(axis=1)
    inner = _inside(differences)
    middle = np.median(inner)
    spread = 1.4826 * float(np.median(np.abs(inner - middle)))
    return (differences - middle) / spread if spread > 0 else None


def _inside(scores: Array) -> Array:
    return scores[_NEAR + 1 : len(scores) - _NEAR - 2]
