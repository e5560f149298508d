"""A frame onto a reference: the whole reach in blocks of pixels, then up the hill in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfxarray.kernels.correlation import Search, Spectral, Target, locate, spectral, target
from mfxarray.kernels.masked import MaskedSpectral, locate_masked, masked_spectral, masked_target
from mfxarray.kernels.polish import Match, Scene, climb, scene
from mfxarray.kernels.stabilise import prepare, shrink
from mfxarray.kernels.subpixel import peak_offset

__all__ = ["Field", "Frame", "Reference", "Rough"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Frame:
    """A frame made ready: its pixels, its blocks of pixels, and the spectrum of these."""

    image: Array
    small: Array
    spectrum: Spectral | MaskedSpectral


@dataclass(frozen=True)
class Reference:
    """A reference made ready for the whole reach, and for the last pixels."""

    rough: Target | MaskedSpectral
    scene: Scene


@dataclass(frozen=True)
class Rough:
    """A translation in blocks of pixels, the same in pixels, its score, whether it is sure."""

    place: tuple[int, int]
    near: tuple[float, float]
    score: float
    confident: bool


@dataclass(frozen=True, eq=False)
class Field:
    """The field of view: where to look, and which pixels of every frame are compared.

    Attributes
    ----------
    search
        Where to look.
    region
        Pixels that are compared, shape (y, x), bool; all if None.
    """

    search: Search
    region: Array | None = None

    @cached_property
    def coarse(self) -> Search:
        """Return the search in blocks of pixels."""
        return self.search.coarse

    @cached_property
    def mask(self) -> Array:
        """Return 1 for the pixels that are compared, else 0, float32."""
        if self.region is None:
            return np.ones(self.search.shape, np.float32)
        return self.region.astype(np.float32)

    @cached_property
    def small_mask(self) -> Array:
        """Return 1 for the blocks of which all pixels are compared, else 0, float32."""
        return (shrink(self.mask, self.search.factor) > 0.999).astype(np.float32)

    def frames(self, planes: Array) -> list[Frame]:
        """Return counts, shape (frame, y, x), made ready."""
        return [self.frame(image) for image in prepare(planes)]

    def frame(self, image: Array) -> Frame:
        """Return a prepared image made ready."""
        small = shrink(image, self.search.factor)
        if self.region is None:
            return Frame(image, small, spectral(small, self.coarse))
        return Frame(image, small, masked_spectral(small, self.small_mask, self.coarse))

    def rough_target(self, small: Array, seen: Array) -> Target | MaskedSpectral:
        """Return a reference in blocks of pixels, of which some are seen (bool), made ready."""
        if self.region is not None:
            return masked_target(small, seen, self.coarse)
        rows, columns = _seen_rectangle(seen)
        return target(small[rows, columns], self.coarse, rows, columns)

    def reference(self, image: Array, seen: Array) -> Reference:
        """Return a reference in pixels, of which some are seen (bool), made ready."""
        factor = self.search.factor
        small_seen = seen if factor == 1 else shrink(seen.astype(np.float32), factor) > 0.999
        return Reference(self.rough_target(shrink(image, factor), small_seen), scene(image, seen))

    def look(self, frame: Frame, rough: Target | MaskedSpectral) -> Rough:
        """Return the best of all translations in blocks of pixels."""
        if isinstance(rough, Target) and isinstance(frame.spectrum, Spectral):
            dy, dx, around = locate(frame.spectrum, rough, self.coarse)
        elif isinstance(rough, MaskedSpectral) and isinstance(frame.spectrum, MaskedSpectral):
            dy, dx, around = locate_masked(frame.spectrum, rough, self.coarse)
        else:
            raise TypeError("frame and reference are not of one kind")
        score, factor = float(around[1, 1]), self.search.factor
        above = peak_offset(around)
        near = (factor * (dy + above[0]), factor * (dx + above[1]))
        inside = max(abs(dy), abs(dx)) < self.coarse.max_shift or factor > 1
        return Rough((dy, dx), near, score, inside and score >= self.coarse.threshold)

    def match(self, frame: Frame, reference: Reference) -> Match:
        """Return the best of all translations."""
        near = self.look(frame, reference.rough).near
        return self.climb(frame, reference.scene, (round(near[0]), round(near[1])))

    def climb(self, frame: Frame, onto: Scene, near: tuple[int, int]) -> Match:
        """Return the best translation next to a rough one."""
        return climb(frame.image, self.mask, onto, near, 2 * self.search.factor)

    def confident(self, match: Match) -> bool:
        """Return whether noise would hardly give such a score, inside the reach."""
        inside = max(abs(match.dy), abs(match.dx)) < self.search.max_shift
        return inside and match.score >= self.search.threshold


def _seen_rectangle(seen: Array) -> tuple[slice, slice]:
    """Return rows and columns of a rectangle without unseen pixels, cut from the edges inwards."""
    bounds = [0, seen.shape[0], 0, seen.shape[1]]
    while True:
        part = seen[bounds[0] : bounds[1], bounds[2] : bounds[3]]
        if part.all():
            return slice(*bounds[:2]), slice(*bounds[2:])
        edges = [1 - edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmax(edges))
        bounds[worst] += 1 if worst in (0, 2) else -1
