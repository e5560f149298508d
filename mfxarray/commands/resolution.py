"""The command that tells the resolution of localizations."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np

from mfxarray.commands.files import client_of, picture_of, save_picture
from mfxarray.commands.points import bounded_localizations
from mfxarray.jobs.progress import progress

__all__ = ["resolution_file"]


def resolution_file(arguments: Namespace) -> None:
    """Print the resolution, and draw its curves if a picture is wanted."""
    from mfxarray import plot
    from mfxarray.minflux.resolution.correlate import resolution
    from mfxarray.minflux.traces.table import traces

    picture = picture_of(arguments)
    data = bounded_localizations(arguments)
    with client_of(arguments) as at, progress("correlating random halves", at):
        points = traces(data, medians=(), photons=None) if arguments.means else data
        found = resolution(
            points,
            pixel=arguments.pixel_nm * 1e-9,
            split=arguments.split,
            repeats=arguments.repeats,
            seed=arguments.seed,
            dimensions=arguments.dimensions,
            preset=arguments.preset,
        ).load()
    mean, low, high = (float(found[f"resolution_{name}"]) * 1e9 for name in ("mean", "low", "high"))
    of = "means of traces" if arguments.means else f"localizations, split by {found.attrs['split']}"
    if np.isfinite(mean):
        interval = f", 95 % of the mean {low:.2f} to {high:.2f} nm" if np.isfinite(low) else ""
        print(f"resolution {mean:.2f} nm{interval} ({of}, {found.sizes['repeat']} splits)")
    else:
        print(f"no resolution: not every split crosses the threshold ({of})")
    if picture is not None:
        save_picture(plot.resolution(found, title=Path(arguments.file).name), picture)
