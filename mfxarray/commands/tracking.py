"""The command track: one row a track, and a page of what all tracks tell."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfxarray.commands.files import (
    check_output,
    client_of,
    picture_of,
    save_picture,
    summary_of_output,
)
from mfxarray.commands.points import bounded_localizations
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["track_file"]


def track_file(arguments: Namespace) -> None:
    """Write one row a track to a Parquet store, say what all tracks tell, and draw it."""
    from mfxarray.minflux.tracking.table import track_table
    from mfxarray.minflux.tracking.tracking import diffusion
    from mfxarray.stores.parquet import write_parquet

    out, picture = check_output(arguments, ".parquet"), picture_of(arguments)
    data = bounded_localizations(arguments)
    rules = _rules(arguments)
    with client_of(arguments) as at:
        with progress("following tracks", at):
            table = track_table(
                data,
                method=arguments.method,
                blur=arguments.blur,
                classes=not arguments.no_classes,
                **rules,
            )
            write_parquet(table, out, overwrite=arguments.overwrite)
        with progress("joining tracks", at):
            both = diffusion(data, arguments.method, per="ensemble", blur=arguments.blur, **rules)
            both = both.load()
        print(_text(out, both))
        print(summary_of_output(out))
        if picture is not None:
            with progress("drawing", at):
                page = _page(data, out, both, rules, arguments)
            save_picture(page, picture)


def _rules(arguments: Namespace) -> dict[str, Any]:
    """Return how tracks are made; 0 for a gap means no cuts."""
    gap = None if arguments.gap == 0 else arguments.gap
    return {"dimensions": arguments.dimensions, "trim": arguments.trim, "gap": gap}


def _text(store: str, both: xr.Dataset) -> str:
    """Return D of all tracks, and how many move how."""
    import numpy as np

    from mfxarray.display import number
    from mfxarray.minflux.tracking.motion_classes import MOTIONS
    from mfxarray.stores.parquet import open_parquet

    table = open_parquet(store)
    d, error, sigma = (float(both[name]) for name in ("D", "D_error", "localization_sigma"))
    lines = [
        f"{number(table.sizes['trace'])} tracks, {number(int(both['tracks']))} with steps",
        f"D of all: {d * 1e12:.4g} ± {error * 1e12:.2g} µm²/s; "
        f"localization error {sigma * 1e9:.3g} nm",
    ]
    if "motion" in table:
        counts = np.bincount(table["motion"].values + 1, minlength=len(MOTIONS) + 1)
        names = ("too short to tell", *MOTIONS)
        told = [f"{name}: {number(int(n))}" for name, n in zip(names, counts, strict=True)]
        lines.append(", ".join([*told[1:], told[0]]))
    return "\n".join(lines)


def _page(
    data: xr.Dataset, store: str, both: xr.Dataset, rules: dict[str, Any], arguments: Namespace
) -> Figure:
    from mfxarray import plot
    from mfxarray.minflux.tracking.tracking import jump_distances, msd
    from mfxarray.stores.parquet import open_parquet

    sigma = float(both["localization_sigma"])
    jumps = jump_distances(data, localization_sigma=sigma if sigma == sigma else 0.0, **rules)
    return plot.tracking(
        open_parquet(store),
        msd(data, lags=arguments.lags, **rules),
        jumps=jumps,
        both=both,
        title=Path(arguments.file).name,
    )
