"""Images of localizations beside numpy.histogram2d, and the memory of large ones.

Speed: both get positions in memory and count them on the same pixels, in one run that takes turns;
ours goes through dask on two threads, graph included. The counts must be equal to the unit. Then
Gaussians, a localization. ``--what memory`` renders 100 M points, made block by block, into 10,000
by 10,000 pixels and writes them as OME-Zarr: in one process of two threads, and on a cluster of two
workers with 1 GiB each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from common import Watch, alone, interleaved, parser_of

from mfxarray.minflux.rendering.render import pixel_edges, render

FIELD = 1e-5


def main() -> None:
    """Print the comparison."""
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--what", choices=["speed", "memory"], default="speed")
    options = parser.parse_args()
    if options.what == "memory":
        for how in ("threads", "cluster"):
            code = "import sys, rendering; rendering.measure(sys.argv[1], float(sys.argv[2]))"
            print(f"{how}: {alone(code, how, options.scale)}", flush=True)
        return
    failed = False
    with dask.config.set(scheduler="threads", num_workers=2):
        for n in (1_000_000, 10_000_000):
            for pixels in (1000, 4000):
                failed |= compared(int(n * options.scale), pixels, options.repeats)
        gaussians(int(1_000_000 * options.scale), options.repeats)
    sys.exit(failed)


def scene(n: int) -> xr.Dataset:
    """Return n localizations in memory, in clusters and between them."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(0, FIELD, (n // 100, 2))
    place = np.zeros((n, 3))
    place[:, :2] = centres[rng.integers(0, len(centres), n)] + rng.normal(0, 3e-8, (n, 2))
    place[::2, :2] = rng.uniform(0, FIELD, (len(place[::2]), 2))
    block = 700_000
    position = da.from_array(place, chunks=(block, 3))
    tid = da.arange(n, chunks=block)
    return xr.Dataset(
        {"position": (("localization", "axis"), position)},
        {"axis": ["x", "y", "z"], "tid": ("localization", tid)},
    )


def compared(n: int, pixels: int, repeats: int) -> bool:
    """Print the times of both; return whether the counts differ."""
    ds = scene(n)
    place = ds["position"].values
    limits = [(0.0, FIELD), (0.0, FIELD)]

    def ours() -> xr.DataArray:
        return render(ds, pixel=FIELD / pixels, limits=limits).compute()

    found = ours()
    edges = [pixel_edges(found, name) for name in ("y", "x")]

    def numpys() -> Any:
        return np.histogram2d(place[:, 1], place[:, 0], bins=pixels, range=limits)[0]

    exact = np.histogram2d(place[:, 1], place[:, 0], bins=edges)[0]
    seconds = interleaved(repeats, numpy=numpys, ours=ours)
    same = bool((exact == found.values).all())
    print(
        f"{n} into {pixels}^2: numpy {seconds['numpy'] * 1e3:.0f} ms, ours "
        f"{seconds['ours'] * 1e3:.0f} ms, {seconds['numpy'] / seconds['ours']:.1f}x; "
        f"{'same counts' if same else 'COUNTS DIFFER'}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return not same


def gaussians(n: int, repeats: int) -> None:
    """Print the time of a Gaussian of 13 by 13 pixels."""
    ds = scene(n)
    limits = [(0.0, FIELD), (0.0, FIELD)]

    def ours() -> Any:
        image = render(ds, pixel=5e-9, limits=limits, kind="gaussian", sigma=5e-9)
        return image.compute()

    ours()
    seconds = interleaved(repeats, ours=ours)["ours"]
    print(
        f"Gaussians of 13 x 13 pixels: {seconds / n * 1e9:.0f} ns each, load "
        f"{os.getloadavg()[0]:.1f}"
    )


def generated(n: int) -> xr.Dataset:
    """Return n localizations that are made block by block when they are needed."""
    block = 1_000_000
    place = da.random.default_rng(2).uniform(0, FIELD, (n, 3), chunks=(block, 3))
    return xr.Dataset(
        {"position": (("localization", "axis"), place)},
        {"axis": ["x", "y", "z"], "tid": ("localization", da.arange(n, chunks=block))},
    )


def measure(how: str, scale: float) -> None:
    """Print seconds and the largest process, and check that every point is in the image."""
    import zarr

    from mfxarray.jobs.warm import warm_kernels

    n = int(1e8 * scale)
    warm_kernels()
    image = render(generated(n), pixel=1e-9, limits=[(0.0, FIELD), (0.0, FIELD)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.ome.zarr"
        with Watch() as watch:
            seconds = written(image, path, how)
        level = zarr.open_group(path, mode="r")["0"]
        rows = range(0, 10_000, 1000)
        total = sum(int(level[:, row : row + 1000].sum(dtype="i8")) for row in rows)
    print(
        f"{n} points into 10000^2: {seconds:.0f} s, largest process {watch.largest / 1e6:.0f} MB, "
        f"{total} counted; load {os.getloadavg()[0]:.1f}"
    )


def written(image: xr.DataArray, path: Path, how: str) -> float:
    """Return the seconds that writing took."""
    from distributed import Client, LocalCluster

    from mfxarray.stores.ome_zarr import write_ome_zarr

    started = time.perf_counter()
    if how == "threads":
        with dask.config.set(scheduler="threads", num_workers=2):
            write_ome_zarr(image, path, levels=4, coarser="sum")
    else:
        settings = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GiB"}
        with LocalCluster(**settings, dashboard_address=None) as cluster, Client(cluster):
            write_ome_zarr(image, path, levels=4, coarser="sum")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
