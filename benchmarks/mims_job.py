"""The whole NanoSIMS job against the plain numpy/scipy form of the seed's algorithm.

Both read the file, remove hot pixels from all ion detectors, find the drift in 12C 14N, apply it to
all detectors and sum the frames. The plain form holds the stack in memory and uses one thread, as
the seed does; ours runs on two threads in the seed's mode (equal to the last bit) and in its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Watch, alone, arguments, folder_of, made
from scipy import ndimage

DETECTOR = "12C 14N"


def plain(path: Path, voters: int, reference: int, padding: int = 8) -> np.ndarray:
    """Return the sum image by whole-array numpy and scipy, as the seed computes it."""
    head = np.fromfile(path, "<i4", 3)[2]
    tail = np.fromfile(path, "<i2", 42, offset=int(head) - 84)
    width, height, _, detectors, _ = (int(value) for value in tail[3:8])
    counts = np.fromfile(path, "<u4", offset=int(head)).astype(np.int32)
    counts = counts.reshape(-1, detectors, height, width)
    ions = counts[:, :voters]
    median = ndimage.median_filter(ions, size=(1, 1, 3, 3))
    votes = ions >= 1.999 * np.maximum(median, 0.5)
    hot = (votes.sum(1) >= 3) & ((ions > 0).sum(1) >= voters)
    hot &= ~(hot.mean(0) >= 0.1)
    cleaned = np.where(hot[:, None], median, ions)
    border = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    padded = np.pad(np.concatenate([cleaned, counts[:, voters:]], 1), border)
    shifts = plain_shifts(padded[:, reference])
    aligned = np.stack(
        [np.roll(frame, shift, (1, 2)) for frame, shift in zip(padded, shifts, strict=True)]
    )
    return aligned.sum(0, dtype=np.int64)


def plain_shifts(planes: np.ndarray) -> np.ndarray:
    """Return translations by complex transforms of the running sum, minus their median."""
    total, shifts = planes[0].copy(), [(0, 0)]
    for frame in planes[1:]:
        product = np.fft.fft2(total) * np.fft.fft2(frame).conj()
        best = np.unravel_index(np.argmax(np.fft.ifft2(product)), frame.shape)
        shift = tuple(int(b) - s * (2 * b >= s) for b, s in zip(best, frame.shape, strict=True))
        shifts.append(shift)
        total += np.roll(frame, shift, (0, 1))
    found = np.array(shifts)
    return found - np.median(found, axis=0).astype(int)


def ours(path: Path, method: str) -> np.ndarray:
    """Return the sum image by mfxarray on two threads."""
    import dask

    import mfxarray as mfx

    preset = "seed" if method == "seed" else "count"
    clean = mfx.open_mims(path).mims.remove_hot_pixels(method=preset)
    shifts = clean.mims.infer_translations(DETECTOR, method=method)
    with dask.config.set(scheduler="threads", num_workers=2):
        return clean.mims.apply_translations(shifts).sum("frame").values


def measure(path: str, kind: str) -> None:
    """Print seconds and peak memory of one run in this process."""
    import mfxarray as mfx

    with Watch() as watch:
        opened = mfx.open_mims(path)
        voters = int((opened["mass"].values > 0).sum())
        reference = [str(name) for name in opened["detector"].values].index(DETECTOR)
        if kind != "plain":
            from mfxarray.jobs.warm import warm_kernels

            # imports and compiled code are ready once a first, small stack went through
            warm_kernels()
            with tempfile.TemporaryDirectory() as folder:
                small = Path(folder) / "small.im"
                mfx.simulate_mims(small, frames=20, detectors=voters + 1, size=64)
                ours(small, kind)
        started = time.perf_counter()
        image = plain(Path(path), voters, reference) if kind == "plain" else ours(Path(path), kind)
        seconds = time.perf_counter() - started
    checksum = int(np.asarray(image, np.int64).ravel() @ np.arange(image.size) % 2**61)
    print(json.dumps({"seconds": seconds, "rss": watch.total, "checksum": checksum}))


def main() -> None:
    """Print the ratios."""
    options = arguments(__doc__)
    import mfxarray as mfx

    frames = max(int(560 * options.scale), 4)
    with folder_of(options) as folder:
        path = made(
            folder / f"stack_{frames}.im",
            lambda target: mfx.simulate_mims(target, frames=frames, detectors=7, size=256, seed=2),
        )
        code = "import mims_job, sys; mims_job.measure(*sys.argv[1:])"
        runs = [
            {kind: json.loads(alone(code, path, kind)) for kind in ("plain", "seed", "correlation")}
            for _ in range(options.repeats)
        ]
    size = path.stat().st_size if path.exists() else 0
    middle = {
        kind: {
            key: float(np.median([run[kind][key] for run in runs])) for key in ("seconds", "rss")
        }
        for kind in runs[0]
    }
    same = all(run["plain"]["checksum"] == run["seed"]["checksum"] for run in runs)
    print(f"stack {frames} x 7 x 256 x 256, {size / 1e9:.2f} GB; seed mode equal to plain: {same}")
    for kind, found in middle.items():
        faster = middle["plain"]["seconds"] / found["seconds"]
        memory = found["rss"] / middle["plain"]["rss"]
        print(
            f"{kind:12} {found['seconds']:7.2f} s  {faster:6.1f}x  "
            f"{found['rss'] / 1e6:7.0f} MB  {memory:.3f} of plain"
        )


if __name__ == "__main__":
    sys.exit(main())
