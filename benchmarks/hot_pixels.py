"""Hot-pixel inference on 100 x 8 x 512 x 512 against scipy's median in the plain form.

The plain form runs on a tenth of the frames, which is enough to time it; ours on all.
"""

from __future__ import annotations

import dask
import numpy as np
import xarray as xr
from common import Watch, arguments, interleaved
from scipy import ndimage


def plain(counts: np.ndarray, factor: float = 3.0, least: float = 1.0) -> np.ndarray:
    """Return candidates in whole-array numpy and scipy."""
    median = ndimage.median_filter(counts, size=(1, 1, 3, 3))
    votes = counts >= factor * np.maximum(median, least)
    return (votes.sum(1) >= 3) & ((counts > 0).sum(1) >= counts.shape[1])


def main() -> None:
    """Print the ratios at tenfold sizes."""
    from mfxarray.jobs.warm import warm_kernels
    from mfxarray.mims.hotpixels import infer_hot_pixels

    options = arguments(__doc__)
    warm_kernels()
    rng = np.random.default_rng(0)
    for frames in (max(int(size * options.scale), 2) for size in (1, 10, 100)):
        counts = rng.poisson(3.0, (frames, 8, 512, 512)).astype(np.uint32)
        few = counts[: max(frames // 10, 1)]
        names = {"detector": [f"m{number}" for number in range(8)]}
        stack = xr.DataArray(counts, names, ("frame", "detector", "y", "x")).chunk({"frame": 2})
        every = {"num_nonzero": 8, "max_repeat_fraction": 2.0, "method": "count"}

        def ours(stack=stack, every=every) -> np.ndarray:
            return infer_hot_pixels(stack, **every).values

        def theirs(few=few) -> np.ndarray:
            return plain(few)

        with dask.config.set(scheduler="threads", num_workers=2):
            np.testing.assert_array_equal(ours()[: len(few)], theirs())
            seconds = interleaved(options.repeats, scipy=theirs, ours=ours)
            with Watch() as watch:
                ours()
        pixels = counts.size
        slow, quick = seconds["scipy"] / few.size * 1e9, seconds["ours"] / pixels * 1e9
        print(
            f"{frames:4d} x 8 x 512 x 512: scipy {slow:6.2f} ns a pixel, ours {quick:5.2f} "
            f"({slow / quick:5.1f}x); {counts.nbytes / 1e6:.0f} MB of data, "
            f"{watch.total / 1e6:.0f} MB at the most"
        )


if __name__ == "__main__":
    main()
