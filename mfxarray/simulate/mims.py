"""Ion-image stacks with known drift, hot pixels and rates, streamed to files of any size.

Every frame draws from its own random stream, seeded by (seed, frame), so a frame is the same
whatever was drawn before it, by however many threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mfxarray.simulate.im_writer import ImHeader, write_im
from mfxarray.simulate.mims_scene import frame_size, mims_detectors, mims_drift, mims_scene
from mfxarray.simulate.mims_series import switched_detectors

__all__ = [
    "MimsTruth",
    "mims_detectors",
    "mims_drift",
    "mims_frame",
    "mims_scene",
    "simulate_mims",
]

Array = np.ndarray[Any, Any]

# random stream; the scene and the drift have 1 and 2
_FRAME = 3
_HOT_SHARE = 0.75  # part of the ion detectors in which a hot pixel shows
_HOT_FLOOR = 5.0  # counts; a hot pixel is at least so bright where hardly anything is counted


@dataclass(frozen=True, eq=False)
class MimsTruth:
    """What is known about a simulated stack.

    Attributes
    ----------
    translations
        (dy, dx) of every frame, shape (frame, 2): what must be added to the position of its content
        to bring it onto frame 0, so that ``aligned[y + dy, x + dx] = frame[y, x]``.
    hot_pixels
        (frame, y, x) of every hot pixel, shape (n, 3), sorted. In a peak-switched stack a frame is
        a series, and a hot pixel may lie in species that its series does not measure.
    rates
        Expected counts of the whole scene, shape (detector, y, x), larger than a frame by
        ``margin`` on every side; ``rates[:, margin:-margin, margin:-margin]`` is frame 0.
    margin
        Pixels.
    labels
        Unique names of the detectors.
    parameters
        What the stack was made from.
    """

    translations: Array
    hot_pixels: Array
    rates: Array
    margin: int
    labels: tuple[str, ...]
    parameters: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Return the truth as a JSON-able dict; of the rates, the mean of every detector."""
        return {
            "translations": self.translations.tolist(),
            "hot_pixels": self.hot_pixels.tolist(),
            "mean_rates": self.rates.mean(axis=(1, 2), dtype=np.float64).tolist(),
            "labels": list(self.labels),
            "margin": self.margin,
            **self.parameters,
        }


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


def simulate_mims(
    path: str | os.PathLike[str],
    *,
    frames: int = 20,
    detectors: int = 7,
    size: int | tuple[int, int] = 128,
    seed: int = 0,
    drift: float = 1.0,
    max_drift: int = 10,
    mean_counts: float = 60.0,
    hot_pixels: float = 3.0,
    contrast: float = 1.0,
    version: int = 10,
    pixel_bytes: int = 4,
    raster_um: float = 20.0,
    dwell_s: float = 0.001,
    series: int = 1,
    raster_pixels: tuple[int, int] | None = None,
    b_fields: int | None = None,
    glitch: tuple[int, int] = (0, 0),
    zero_frames: int = 0,
    cut_bytes: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], object] | None = None,
) -> MimsTruth:
    """Write a stack to an ``.im`` file and return what is known about it.

    Parameters
    ----------
    path
        Target; it appears when it is complete.
    frames, detectors, size
        Shape of the stack.
    seed
        Equal seeds give equal files, whatever ``threads``.
    drift, max_drift
        Pixels: standard deviation of a step, and bound; see `mims_drift`.
    mean_counts, contrast
        See `mims_scene`.
    hot_pixels
        Mean number a frame; see `mims_frame`.
    version, pixel_bytes, raster_um, dwell_s
        See `ImHeader`; the raster is in micrometres, the dwell time in seconds a pixel.
    series
        Peak switching: every plane holds so many series of species, each with electrons of its
        own, measured one after the other; see `switched_detectors`. The truth then counts the
        series as frames, as ``interleave=True`` reads them.
    raster_pixels
        Columns and rows of the full raster, where the frame is only a part of it.
    b_fields
        Records of B fields in the header; as many as series if not given.
    glitch
        Edge glitch (dy, dx): opened with this roll, the images are whole.
    zero_frames
        Planes of zeros that follow, as an aborted run leaves them.
    cut_bytes
        Bytes left off at the end.
    threads
        Frames drawn at the same time.
    progress
        Called with (frames written, frames).

    Notes
    -----
    Holds a few frames at a time; about 30 ns of one core for a pixel.
    """
    if hot_pixels < 0 or threads < 1 or frames < 1 or zero_frames < 0:
        raise ValueError(
            "hot_pixels and zero_frames must not be negative, threads and frames at least 1"
        )
    height, width = frame_size(size)
    scene = mims_scene(
        detectors,
        (height, width),
        seed=seed,
        margin=max_drift,
        mean_counts=mean_counts,
        contrast=contrast,
    )
    channels, parts = switched_detectors(detectors, series)
    translations = mims_drift(frames * series, seed=seed, drift=drift, max_drift=max_drift)
    header = ImHeader(
        channels,
        height,
        width,
        frames + zero_frames,
        version,
        pixel_bytes,
        raster_um,
        raster_pixels=raster_pixels,
        dwell_us=round(dwell_s * 1e6),
        b_fields=series if b_fields is None else b_fields,
    )
    hot: list[Array] = []

    def draw(frame: int) -> tuple[Array, Array]:
        shift = (int(translations[frame, 0]), int(translations[frame, 1]))
        return mims_frame(
            scene,
            frame,
            shift,
            margin=max_drift,
            seed=seed,
            hot_pixels=hot_pixels,
            dtype=header.dtype,
        )

    def stream() -> Iterator[Array]:
        plane: list[Array] = []
        for frame, (counts, found) in enumerate(_in_order(draw, frames * series, threads)):
            hot.append(np.insert(found, 0, frame, axis=1))
            plane.append(counts[list(parts[frame % series])])
            if len(plane) == series:
                yield np.concatenate(plane)
                plane.clear()
                if progress is not None:
                    progress(frame // series + 1, frames)
        for _ in range(zero_frames):
            yield np.zeros(header.frame_shape, header.dtype)

    write_im(path, stream(), header, roll=glitch, cut_bytes=cut_bytes)
    parameters = {"seed": seed, "frames": frames, "mean_counts": mean_counts, "contrast": contrast}
    parameters |= {"series": series} if series > 1 else {}
    names = tuple(channel.name for channel in channels)
    return MimsTruth(translations, np.concatenate(hot), scene, max_drift, names, parameters)


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
