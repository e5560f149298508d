"""The commands that correct positions: register by beads, drift without."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mfxarray.commands.files import (
    check_output,
    client_of,
    open_localizations,
    picture_of,
    save_picture,
    summary_of_output,
)
from mfxarray.errors import DataError
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["drift_file", "register_files"]


def register_files(arguments: Namespace) -> None:
    """Write all washes, registered by their beads, to one Zarr store."""
    from mfxarray import plot
    from mfxarray.display import number
    from mfxarray.minflux.beads.registration import fit_beads, register
    from mfxarray.opening.minflux import open_minflux_tree
    from mfxarray.stores.zarr_store import write_zarr

    arguments.file = arguments.washes[0]
    out, picture = check_output(arguments, ".zarr"), picture_of(arguments)
    trees = [open_minflux_tree(path) for path in arguments.washes]
    beads = [
        one
        for tree, path in zip(trees, arguments.washes, strict=True)
        for one in _beads(tree, path)
    ]
    fit = fit_beads(beads, match=arguments.match, rotation=arguments.rotation)
    washes = register(trees, fit=fit, at=arguments.at)
    with client_of(arguments) as at, progress("writing registered washes", at):
        write_zarr(washes, out, overwrite=arguments.overwrite)
    print(f"registered {number(washes.sizes['localization'])} localizations of {len(beads)} washes")
    print(summary_of_output(out))
    if picture is not None:
        save_picture(plot.beads(fit), picture)


def drift_file(arguments: Namespace) -> None:
    """Write localizations without drift to a Zarr store."""
    from mfxarray import plot
    from mfxarray.minflux.drift.correction import correct_drift
    from mfxarray.minflux.drift.estimate import estimate_drift
    from mfxarray.stores.zarr_store import write_zarr

    out, picture = check_output(arguments, ".zarr"), picture_of(arguments)
    data = open_localizations(arguments)
    with client_of(arguments) as at, progress("finding and subtracting the drift", at):
        drift = estimate_drift(
            data,
            preset=arguments.preset,
            window=arguments.window,
            dimensions=arguments.dimensions,
        ).load()
        write_zarr(correct_drift(data, drift, replace=True), out, overwrite=arguments.overwrite)
    spans = (drift["drift"].max("time") - drift["drift"].min("time")).values * 1e9
    told = ", ".join(f"{span:.1f} nm" for span in spans)
    print(f"drift over {drift.sizes['window']} windows: {told} along x, y, z")
    print(summary_of_output(out))
    if picture is not None:
        save_picture(plot.localization_drift(drift, title=Path(arguments.file).name), picture)


def _beads(tree: xr.DataTree, path: str) -> list[xr.Dataset]:
    found = [
        child["beads"].to_dataset() for child in tree.children.values() if "beads" in child.children
    ]
    if not found:
        raise DataError("holds no beads", path=path, hint="Register needs files with bead tracks.")
    return found
