"""The frames of a simulated stack, drawn from its scene.

Every frame draws from its own random stream, seeded by (seed, frame), so a frame is the same
whatever was drawn before it, by however many threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["FrameDraw", "mims_frame"]

Array = np.ndarray[Any, Any]

# random stream; the scene and the drift have 1 and 2
_FRAME = 3
_HOT_SHARE = 0.75  # part of the ion detectors in which a hot pixel shows
_HOT_FLOOR = 5.0  # counts; a hot pixel is at least so bright where hardly anything is counted


def mims_frame(
    scene: Array,
    frame: int,
    translation: tuple[int, int] = (0, 0),
    *,
    margin: int = 10,
    seed: int = 0,
    hot_pixels: float = 3.0,
    electrons: bool = True,
    dtype: DTypeLike = np.uint32,
) -> tuple[Array, Array]:
    """Return one frame of Poisson counts and its hot pixels.

    Parameters
    ----------
    scene
        Expected counts from `mims_scene`.
    frame
        Number of the frame; with ``seed`` it decides all random numbers.
    translation
        (dy, dx) of this frame, at most ``margin``; see `MimsTruth`.
    margin
        Pixels by which the scene is larger than the frame.
    seed
        Of the stack.
    hot_pixels
        Mean number of hot pixels.
    electrons
        Whether the last of several detectors counts electrons; hot pixels do not show there.
    dtype
        Unsigned integer type; larger counts saturate.

    Returns
    -------
    counts
        Shape (detector, y, x).
    hot
        (y, x) of the hot pixels, sorted, shape (n, 2).
    """
    dy, dx = translation
    if max(abs(dy), abs(dx)) > margin:
        raise ValueError(f"translation {translation} is larger than the margin of {margin} pixels")
    height, width = scene.shape[1] - 2 * margin, scene.shape[2] - 2 * margin
    top, left = margin + dy, margin + dx
    rates = scene[:, top : top + height, left : left + width]
    rng = np.random.default_rng((seed, _FRAME, frame))
    counts = rng.poisson(rates)
    hot = _hot_positions(rng, hot_pixels, (height, width))
    ions = len(scene) - 1 if electrons and len(scene) > 1 else len(scene)
    shown = max(1, round(_HOT_SHARE * ions))
    for y, x in hot:
        seen = rng.choice(ions, shown, replace=False)
        local = np.maximum(rates[seen, y, x], _HOT_FLOOR)
        counts[seen, y, x] = np.ceil(local * rng.uniform(4, 8))
    np.minimum(counts, np.iinfo(dtype).max, out=counts)
    return counts.astype(dtype), hot


def _hot_positions(rng: np.random.Generator, mean: float, shape: tuple[int, int]) -> Array:
    pixels = shape[0] * shape[1]
    count = min(int(rng.poisson(mean)), pixels)
    flat = np.sort(rng.choice(pixels, count, replace=False, shuffle=False))
    return np.stack(np.divmod(flat, shape[1]), axis=1)


@dataclass(frozen=True, eq=False)
class FrameDraw:
    """What the frames of a stack are drawn from.

    Attributes
    ----------
    scene
        Expected counts from `mims_scene`.
    translations
        (dy, dx) of every frame, shape (frame, 2).
    parts
        For every series of a plane, numbers of the species that it measures; a frame is a series.
    margin, seed, hot_pixels, dtype
        See `mims_frame`.
    """

    scene: Array
    translations: Array
    parts: tuple[tuple[int, ...], ...]
    margin: int
    seed: int
    hot_pixels: float
    dtype: DTypeLike

    def frame(self, number: int) -> tuple[Array, Array]:
        """Return the counts of all species in a frame, and its hot pixels; see `mims_frame`."""
        dy, dx = self.translations[number].tolist()
        return mims_frame(
            self.scene,
            number,
            (dy, dx),
            margin=self.margin,
            seed=self.seed,
            hot_pixels=self.hot_pixels,
            dtype=self.dtype,
        )

    def planes(
        self, hot: list[Array], threads: int, progress: Callable[[int, int], object] | None
    ) -> Iterator[Array]:
        """Yield plane after plane, (channel, y, x): the series one after the other.

        Parameters
        ----------
        hot
            Gets the hot pixels of every frame that was drawn, (frame, y, x), shape (n, 3).
        threads
            Frames drawn at the same time.
        progress
            Called with (planes that were taken, planes).
        """
        count, series = len(self.translations), len(self.parts)
        plane: list[Array] = []
        for number, (counts, found) in enumerate(_in_order(self.frame, count, threads)):
            hot.append(np.insert(found, 0, number, axis=1))
            plane.append(counts[list(self.parts[number % series])])
            if len(plane) == series:
                yield np.concatenate(plane)
                plane.clear()
                if progress is not None:
                    progress(number // series + 1, count // series)


def _in_order(
    draw: Callable[[int], tuple[Array, Array]], count: int, threads: int
) -> Iterator[tuple[Array, Array]]:
    """Yield ``draw(0)``, ``draw(1)`` ... in order, a few of them drawn ahead."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[tuple[Array, Array]]] = deque()
        for number in range(count):
            waiting.append(pool.submit(draw, number))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
