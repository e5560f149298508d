"""Ion-image stacks with known drift, hot pixels and rates, streamed to files of any size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from mfxarray.simulate.im_writer import ImHeader, write_im
from mfxarray.simulate.mims_frames import FrameDraw, mims_frame
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
    _check(frames, zero_frames, hot_pixels, threads)
    shape = frame_size(size)
    look: dict[str, Any] = {"seed": seed, "mean_counts": mean_counts, "contrast": contrast}
    scene = mims_scene(detectors, shape, margin=max_drift, **look)
    channels, parts = switched_detectors(detectors, series)
    translations = mims_drift(frames * series, seed=seed, drift=drift, max_drift=max_drift)
    header = ImHeader(
        channels,
        *shape,
        frames + zero_frames,
        version,
        pixel_bytes,
        raster_um,
        raster_pixels=raster_pixels,
        dwell_us=round(dwell_s * 1e6),
        b_fields=series if b_fields is None else b_fields,
    )
    drawn = FrameDraw(scene, translations, parts, max_drift, seed, hot_pixels, header.dtype)
    hot: list[Array] = []
    empty = (np.zeros(header.frame_shape, header.dtype) for _ in range(zero_frames))
    planes = chain(drawn.planes(hot, threads, progress), empty)
    write_im(path, planes, header, roll=glitch, cut_bytes=cut_bytes)
    parameters = {
        "seed": seed,
        "frames": frames,
        **look,
        **({"series": series} if series > 1 else {}),
    }
    names = tuple(channel.name for channel in channels)
    return MimsTruth(translations, np.concatenate(hot), scene, max_drift, names, parameters)


def _check(frames: int, zero_frames: int, hot_pixels: float, threads: int) -> None:
    if hot_pixels < 0 or threads < 1 or frames < 1 or zero_frames < 0:
        raise ValueError(
            "hot_pixels and zero_frames must not be negative, threads and frames at least 1"
        )
