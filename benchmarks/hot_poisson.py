"""Hot pixels by the Poisson test: false positives, injected ones found, time a pixel.

False positives are counted in one frame, which counts for all its detectors, on clean Poisson
counts of one rate and on clean simulated samples. Injected hot pixels show in 4 of 6 detectors.
"""

from __future__ import annotations

import time

import dask
import numpy as np
import xarray as xr
from common import arguments, interleaved

from mfxarray.mims.hotpixels import infer_hot_pixels
from mfxarray.simulate.mims import mims_frame
from mfxarray.simulate.mims_scene import mims_scene

DETECTORS = 6
METHODS = ("poisson", "count")


def stack_of(counts: np.ndarray) -> xr.DataArray:
    """Return a stack in memory, in chunks."""
    names = {"detector": [f"m{number}" for number in range(counts.shape[1])]}
    return xr.DataArray(counts, names, ("frame", "detector", "y", "x")).chunk({"frame": 2})


def found(counts: np.ndarray, **options) -> np.ndarray:
    """Return the mask of a stack in memory."""
    return infer_hot_pixels(stack_of(counts), **options).values


def clean(scale: float) -> None:
    """Print the share of clean pixels that are taken for hot, where the rate is the same."""
    print("clean Poisson counts: share of pixels taken for hot, over what was asked")
    every = {"max_repeat_fraction": 1.0, "method": "poisson"}
    rounds = max(int(10 * scale), 1)
    for level in (0.1, 1.0, 10.0, 100.0):
        line = [f"{level:6.1f} counts"]
        for asked in (1e-2, 1e-3, 1e-4, 1e-6):
            hits = np.zeros(2)
            for seed in range(rounds):
                rng = np.random.default_rng((seed, int(10 * level)))
                counts = rng.poisson(level, (6, DETECTORS, 512, 512)).astype(np.uint32)
                options = {"false_positives": asked, **every}
                hits += [
                    found(counts, outlier_factor=factor, **options).mean() for factor in (1.0, 2.0)
                ]
            bare, default = hits / rounds / asked
            line.append(f"{asked:.0e}: {bare:5.3f} (factor 2: {default:5.3f})")
        print("   ".join(line), flush=True)
    line = []
    for level in (0.1, 1.0, 2.0, 10.0, 100.0):
        counts = np.random.default_rng(3).poisson(level, (6, DETECTORS, 512, 512))
        share = found(counts.astype(np.uint32), method="count", max_repeat_fraction=1.0).mean()
        line.append(f"{level:g}: {share:.1e}")
    print(f"method 'count', share of pixels: {', '.join(line)}")


def structured(scale: float) -> None:
    """Print false positives and finds in simulated samples of several brightnesses."""
    print("simulated samples, 256 x 256, hot pixels of 4 to 8 times the local rate")
    scenes = max(int(6 * scale), 1)
    for mean in (0.5, 5, 50, 500, 5000):
        taken, hits, known = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0), 0
        pixels = 0
        for seed in range(scenes):
            scene = mims_scene(DETECTORS + 1, 256, seed=seed, mean_counts=mean)
            bare = np.stack([mims_frame(scene, i, seed=seed, hot_pixels=0)[0] for i in range(6)])
            hot = [mims_frame(scene, i, seed=seed, hot_pixels=40) for i in range(6)]
            full = np.stack([counts for counts, _ in hot])
            known += sum(len(places) for _, places in hot)
            pixels += bare[:, 0].size
            for method in METHODS:
                options = {"method": method, "max_repeat_fraction": 1.0}
                taken[method] += found(bare[:, :DETECTORS], **options).sum()
                mask = found(full[:, :DETECTORS], **options)
                hits[method] += sum(
                    mask[frame][tuple(places.T)].sum() for frame, (_, places) in enumerate(hot)
                )
        text = [f"{m}: false {taken[m] / pixels:.1e}, found {hits[m] / known:.4f}" for m in METHODS]
        print(f"{mean:7.1f} counts   {'   '.join(text)}", flush=True)


def injected(scale: float) -> None:
    """Print how many of the injected hot pixels are found at ten times the level."""
    print("found of those at 10 times the level (exactly / a Poisson number of that mean)")
    for level in (0.5, 1, 2, 5, 20, 100):
        line = [f"{level:6.1f} counts"]
        for frames in (1, 5, 10):
            shares = []
            for noisy in (False, True):
                share = [_share(level, frames, noisy, n) for n in range(max(int(10 * scale), 1))]
                shares.append(np.mean(share))
            line.append(f"{frames:2d} frames: {shares[0]:.4f} / {shares[1]:.4f}")
        print("   ".join(line), flush=True)


def _share(level: float, frames: int, noisy: bool, seed: int) -> float:
    rng = np.random.default_rng((seed, frames))
    counts = rng.poisson(level, (frames, DETECTORS, 256, 256)).astype(np.uint32)
    truth = np.zeros((frames, 256, 256), bool)
    # on a lattice of its own in each frame: no two are neighbours or at one place
    for frame in range(frames):
        truth[frame, frame % 4 :: 24, frame // 4 * 4 :: 24] = True
    for frame, y, x in np.argwhere(truth):
        shown = rng.permutation(DETECTORS)[:4]
        bright = rng.poisson(10 * level, 4) if noisy else np.ceil(10 * level)
        counts[frame, shown, y, x] = bright
    return float(found(counts, method="poisson")[truth].mean())


def timed(scale: float, repeats: int) -> None:
    """Print the time a pixel of both methods on two threads."""
    frames = max(int(50 * scale), 2)
    for level in (0.1, 3.0, 100.0):
        counts = np.random.default_rng(0).poisson(level, (frames, 8, 512, 512)).astype(np.uint32)
        # once: dask hashes what is in memory
        masks = {method: infer_hot_pixels(stack_of(counts), method=method) for method in METHODS}
        runs = {method: (lambda mask=mask: mask.compute()) for method, mask in masks.items()}
        with dask.config.set(scheduler="threads", num_workers=2):
            for mask in masks.values():
                mask.compute()
            seconds = interleaved(repeats, **runs)
        text = [f"{m} {seconds[m] / counts.size * 1e9:.2f} ns a pixel" for m in METHODS]
        print(f"{frames} x 8 x 512 x 512, {level:g} counts, 2 threads: {', '.join(text)}")


def main() -> None:
    """Print all tables."""
    options = arguments(__doc__)
    started = time.perf_counter()
    clean(options.scale)
    structured(options.scale)
    injected(options.scale)
    timed(options.scale, options.repeats)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
