"""Short tracks: ours against a plain loop with pandas and numpy, and how it grows to a million.

The loop does for each track what a script does: mean squared displacements of the first four lags
and a line through them by polyfit, and the covariance-based estimate. Ours does the same with
errors, on two threads.
"""

from __future__ import annotations

from collections.abc import Callable

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from common import Watch, arguments, interleaved

from mfxarray.jobs.warm import warm_kernels
from mfxarray.minflux.tracking.tracking import classify_motion, diffusion, jump_distances, msd
from mfxarray.simulate.minflux_tracks import simulate_tracks

_LAGS = 4
_ROWS = 2**19


def data_of(tracks: int) -> xr.Dataset:
    """Return tracks of ten localizations on average."""
    found = simulate_tracks(tracks=tracks, points=10, same_length=False, missed=0.05)

    def chunked(values: np.ndarray) -> da.Array:
        return da.from_array(values, chunks=(_ROWS, *values.shape[1:]))

    rows = ("localization",)
    position = chunked(found.position)
    return xr.Dataset(
        {"position": (("localization", "axis"), position)},
        {"tid": (rows, chunked(found.tid)), "tim": (rows, chunked(found.tim))},
    )


def loop(ds: xr.Dataset) -> pd.DataFrame:
    """Return D of each track by both estimates, one track after the other."""
    xyz = ds["position"].values
    frame = pd.DataFrame({"tid": ds["tid"].values, "t": ds["tim"].values, "x": xyz[:, 0]})
    frame["y"] = xyz[:, 1]
    found = []
    for _, own in frame.groupby("tid", sort=False):
        if len(own) < 3:
            continue
        place, time = own[["x", "y"]].to_numpy(), own["t"].to_numpy()
        step = np.diff(place, axis=0)
        product = (step[1:] * step[:-1]).sum(axis=1).mean()
        mean = np.diff(time).mean()
        cve = ((step**2).sum(axis=1).mean() / 2 + product) / (2 * mean)
        lags = range(1, min(_LAGS, len(place) - 1) + 1)
        curve = [((place[k:] - place[:-k]) ** 2).sum(axis=1).mean() for k in lags]
        times = [(time[k:] - time[:-k]).mean() for k in lags]
        found.append((len(own), cve, np.polyfit(times, curve, 1)[0] / 4))
    return pd.DataFrame(found, columns=["n", "cve", "msd"])


def jobs_of(ds: xr.Dataset) -> dict[str, Callable[[], object]]:
    """Return what is timed, each computed."""
    return {
        "cve": lambda: diffusion(ds).compute(),
        "msd": lambda: diffusion(ds, "msd").compute(),
        "mle": lambda: diffusion(ds, "mle").compute(),
        "classes": lambda: classify_motion(ds).compute(),
        "all_by_cve": lambda: diffusion(ds, per="ensemble").compute(),
        "all_by_mle": lambda: diffusion(ds, "mle", per="ensemble").compute(),
        "curve": lambda: msd(ds).compute(),
        "jumps": lambda: jump_distances(ds),
    }


def main() -> None:
    """Print the ratio at 100,000 tracks, and seconds up to a million."""
    options = arguments(__doc__)
    warm_kernels()
    dask.config.set(scheduler="threads", num_workers=2)
    ds = data_of(int(100_000 * options.scale))

    def ours() -> tuple[xr.Dataset, xr.Dataset]:
        both = dask.compute(
            diffusion(ds, gap=None)[["D", "D_error", "n"]],
            diffusion(ds, "msd", gap=None, points=_LAGS)[["D", "D_error", "n"]],
        )
        return both[0], both[1]

    first, second = ours()
    wanted = loop(ds)
    kept = first["n"].values >= 3
    np.testing.assert_allclose(first["D"].values[kept], wanted["cve"], rtol=1e-6, atol=1e-20)
    enough = second["n"].values > _LAGS
    own = wanted["msd"].values[wanted["n"].values > _LAGS]
    np.testing.assert_allclose(second["D"].values[enough], own, rtol=1e-6, atol=1e-20)
    seconds = interleaved(1, loop=lambda: loop(ds), ours=ours)
    ratio = seconds["loop"] / seconds["ours"]
    told = f"loop {seconds['loop']:.1f} s, ours {seconds['ours']:.2f} s"
    print(f"{ds.sizes['localization']} localizations: {told}, {ratio:.0f}x", flush=True)
    for tracks in (int(size * options.scale) for size in (10_000, 100_000, 1_000_000)):
        with Watch() as watch:
            seconds = interleaved(1, **jobs_of(data_of(tracks)))
        told = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
        print(f"{tracks} tracks, {watch.total / 1e6:.0f} MB: {told} s", flush=True)


if __name__ == "__main__":
    main()
