"""Alignment against truth: the seven scenarios of spec/mims.md section 3, ours and five other ways.

The other ways are written out below in plain numpy and scikit-image; the figures that the spec
measured for them, on scenes of its own, stand beside. Errors of ours are counted from frame 0,
those of the others from the middle of their errors, which is kinder. Three contrasts: that of the
simulator; 0.25, at which the other ways do about as the spec says, so its scenes must have been
like that; and 0.15, at which all fail on dim data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from mfxarray.mims.align import infer_translations
from mfxarray.simulate.mims import mims_frame, mims_scene

FRAMES, SIZE = 20, 128
COLUMNS = ("openformat", "hann, first", "anscombe, sum", "phase", "masked ncc")


@dataclass(frozen=True)
class Scenario:
    """A drift, the mean counts a pixel, a constant background, the spec's figures."""

    name: str
    drift: Callable[[int], np.ndarray]
    mean: float
    pedestal: float
    spec: tuple[float | None, ...]
    contrast: float | None = None


def walk(seed: int) -> np.ndarray:
    """Return a random walk with steps of 0.5 px."""
    steps = np.random.default_rng((seed, 77)).standard_normal((FRAMES, 2)) * 0.5
    steps[0] = 0
    return np.rint(np.cumsum(steps, axis=0)).astype(int)


def ramp(_: int) -> np.ndarray:
    """Return 1 px a frame along y."""
    return np.stack([np.arange(FRAMES), np.zeros(FRAMES, int)], axis=1)


def jump(_: int) -> np.ndarray:
    """Return a jump of 12 px along y halfway."""
    path = np.zeros((FRAMES, 2), int)
    path[FRAMES // 2 :, 0] = 12
    return path


def still(_: int) -> np.ndarray:
    """Return no drift."""
    return np.zeros((FRAMES, 2), int)


SCENARIOS = (
    Scenario("bright walk 0.5 px", walk, 60, 0, (1.25, 0.00, 0.00, 0.64, 0.00)),
    Scenario("~1 ct/px", walk, 1, 0, (1.10, 1.49, 0.39, 6.0, 0.74)),
    Scenario("~0.25 ct/px", walk, 0.25, 0, (2.18, 4.67, 1.33, 13.5, 2.18)),
    Scenario("bright pedestal 600", walk, 60, 600, (1.48, 1.46, 0.92, 9.4, 1.08)),
    Scenario("1 px/frame, 19 px", ramp, 60, 0, (3.38, 0.32, 0.35, 0.75, 0.00)),
    Scenario("same, dim", ramp, 1, 0, (4.13, 1.47, 0.63, 13.0, 1.30)),
    Scenario("jump 12 px", jump, 60, 0, (1.00, 0.00, 0.00, 0.6, 0.00)),
    Scenario("noise, 1 ct/px", still, 1, 0, (None,) * 5, 0.0),
    Scenario("noise, 60 ct/px", still, 60, 0, (None,) * 5, 0.0),
)


def stack(scenario: Scenario, seed: int, contrast: float) -> tuple[np.ndarray, np.ndarray]:
    """Return counts (frame, y, x) and the translations that undo their drift."""
    path = scenario.drift(seed)
    margin = int(np.abs(path).max()) + 1
    settings = {"seed": seed, "margin": margin, "mean_counts": scenario.mean}
    seen = contrast if scenario.contrast is None else scenario.contrast
    scene = mims_scene(1, SIZE, contrast=seen, **settings) + scenario.pedestal
    frames = [
        mims_frame(scene, number, tuple(shift), margin=margin, seed=seed, hot_pixels=0)[0][0]
        for number, shift in enumerate(path.tolist())
    ]
    return np.stack(frames), path


def ours(planes: np.ndarray, **parameters: object) -> xr.DataArray:
    """Return the translations by mfxarray."""
    coords = {"detector": ["12C 14N"], "frame": np.arange(len(planes))}
    counts = xr.DataArray(planes[:, None], coords, ("frame", "detector", "y", "x"))
    return infer_translations(counts, "12C 14N", **parameters).compute()


def openformat(planes: np.ndarray) -> np.ndarray:
    """Return translations as openformat 0.3.1 (bit for bit, see tests/mims/test_golden.py)."""
    return ours(planes, method="seed").values


def hann_first(planes: np.ndarray) -> np.ndarray:
    """Return translations by circular correlation of windowed frames with the first."""
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE))
    spectra = np.fft.fft2([(plane - plane.mean()) * window for plane in planes.astype(float)])
    return np.array([_top(spectra[0] * spectrum.conj()) for spectrum in spectra])


def anscombe_sum(planes: np.ndarray) -> np.ndarray:
    """Return translations of stabilised, smoothed, windowed frames onto their running sum."""
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE))
    ready = [gaussian_filter(2 * np.sqrt(plane + 0.375), 1) for plane in planes]
    total, found = ready[0].copy(), [(0, 0)]
    for image in ready[1:]:
        one, two = ((part - part.mean()) * window for part in (total, image))
        found.append(_top(np.fft.fft2(one) * np.fft.fft2(two).conj()))
        total = total + np.roll(image, found[-1], (0, 1))
    return np.array(found)


def phase(planes: np.ndarray) -> np.ndarray:
    """Return translations by phase correlation with the first frame, as sims does."""
    first = planes[0].astype(float)
    return np.array(
        [phase_cross_correlation(first, plane, upsample_factor=10)[0] for plane in planes]
    )


def masked_ncc(planes: np.ndarray) -> np.ndarray:
    """Return translations by scikit-image's masked correlation with the running sum."""
    total, cover, found = planes[0].astype(float), np.ones((SIZE, SIZE)), [(0, 0)]
    everywhere = np.ones((SIZE, SIZE), bool)
    for plane in planes[1:].astype(float):
        masks = {"reference_mask": cover > 0, "moving_mask": everywhere, "overlap_ratio": 0.5}
        shift = phase_cross_correlation(total / np.maximum(cover, 1), plane, **masks)[0]
        dy, dx = (int(part) for part in shift)
        found.append((dy, dx))
        to = slice(max(dy, 0), SIZE + min(dy, 0)), slice(max(dx, 0), SIZE + min(dx, 0))
        of = slice(max(-dy, 0), SIZE + min(-dy, 0)), slice(max(-dx, 0), SIZE + min(-dx, 0))
        total[to] += plane[of]
        cover[to] += 1
    return np.array(found)


def _top(spectrum: np.ndarray) -> tuple[int, int]:
    correlation = np.fft.ifft2(spectrum).real
    best = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    return tuple(int(b) - s * (2 * b >= s) for b, s in zip(best, correlation.shape, strict=True))


def rms(found: np.ndarray, truth: np.ndarray, *, centred: bool = False) -> float:
    """Return the root of the mean square error, pixels."""
    error = found - truth
    if centred:
        error = error - np.median(error, axis=0)
    return float(np.sqrt((error**2).mean()))


def measure(contrast: float, seeds: int) -> None:
    """Print the table for one contrast."""
    ways = (openformat, hann_first, anscombe_sum, phase, masked_ncc)
    print(f"\ncontrast {contrast}: rms px, mean of {seeds} seeds (spec's figure)")
    print(f"{'':20} {'ours':>12} {'+1 pass':>8}", *(f"{name:>16}" for name in COLUMNS))
    for scenario in SCENARIOS:
        stacks = [stack(scenario, seed, contrast) for seed in range(seeds)]
        own = [rms(ours(planes).values, path) for planes, path in stacks]
        more = [rms(ours(planes, iterations=1).values, path) for planes, path in stacks]
        cells = []
        for way, known in zip(ways, scenario.spec, strict=True):
            other = np.mean([rms(way(planes), path, centred=True) for planes, path in stacks])
            cells.append(f"{other:7.2f} ({'-' if known is None else f'{known:.2f}':>5})")
        scatter = np.std(own) / np.sqrt(max(len(own) - 1, 1))
        line = f"{scenario.name:20} {np.mean(own):5.2f} +-{scatter:4.2f} {np.mean(more):8.2f}"
        print(line, *(f"{cell:>16}" for cell in cells), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--contrasts", type=float, nargs="*", default=[1.0, 0.25, 0.15])
    options = parser.parse_args()
    for contrast in options.contrasts:
        measure(contrast, options.seeds)


if __name__ == "__main__":
    main()
