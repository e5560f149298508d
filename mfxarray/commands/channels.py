"""The command unmix: fluorophores told apart, their channel beside every localization."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

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

__all__ = ["unmix_file"]

_AUTO = "auto"
_MOST = 4


def unmix_file(arguments: Namespace) -> None:
    """Write localizations with their channel to a Zarr store, and say what was found."""
    from mfxarray.minflux.channels.mixture import assign_channels
    from mfxarray.stores.zarr_store import write_zarr

    _check(arguments)
    out, picture = check_output(arguments, ".zarr"), picture_of(arguments)
    data = bounded_localizations(arguments)
    with client_of(arguments) as at:
        with progress("fitting the mixture", at):
            fit = _fit(data, arguments).load()
        print(_fit_text(fit))
        named = assign_channels(
            data,
            None if arguments.threshold else fit,
            thresholds=sorted(arguments.threshold) or None,
            field=arguments.field,
            per=arguments.per,
            vote=_vote(arguments),
            min_confidence=arguments.min_confidence,
            agreement=arguments.agreement,
        )
        with progress("writing localizations with their channel", at):
            write_zarr(named, out, overwrite=arguments.overwrite)
    print(_count_text(out))
    print(summary_of_output(out))
    if picture is not None:
        _draw(fit, out, picture, Path(arguments.file).name)


def _check(arguments: Namespace) -> None:
    text = arguments.components
    if text != _AUTO and not text.isdigit():
        raise ValueError(f"--components is a number or {_AUTO}, not {text!r}")


def _fit(data: xr.Dataset, arguments: Namespace) -> xr.Dataset:
    from mfxarray.minflux.channels.mixture import choose_components, fit_mixture

    count = arguments.components
    if count == _AUTO:
        # of localizations, whatever is fitted then: see there
        chosen = choose_components(data, arguments.field, _MOST, seed=arguments.seed)
        count = int(chosen["components"])
    return fit_mixture(
        data,
        arguments.field,
        int(count),
        per=arguments.per,
        statistic=arguments.statistic,
        seed=arguments.seed,
    )


def _vote(arguments: Namespace) -> str | None:
    """Return how a trace gets its channel, None for the usual way."""
    if arguments.vote is None and arguments.per == "trace":
        return str(arguments.statistic)
    return None if arguments.vote is None else str(arguments.vote)


def _fit_text(fit: xr.Dataset) -> str:
    """Return the components and what separates them, a line each."""
    from mfxarray.display import number, safe_text

    count, per = int(fit["components"]), fit.attrs["per"]
    field = safe_text(fit.attrs["field"], 40)
    lines = [f"{count} components of {field} in {number(int(fit['n']))} {per}s"]
    names = ("mean", "width", "fraction")
    rows = zip(*(fit[name].values[:count].tolist() for name in names), strict=True)
    for part, (mean, width, share) in enumerate(rows):
        lines.append(f"  {part}: mean {mean:.5g}, width {width:.3g}, share {share:.1%}")
    known = fit["boundary"].values[: count - 1]
    if len(known):
        told = ", ".join("none" if value != value else f"{value:.5g}" for value in known)
        wrong = float(fit["misassigned"])
        lines.append(f"  boundaries: {told}; expected in the wrong component: {wrong:.1%}")
    if any(value != value for value in known):
        lines.append("  not separated: one component is denser at both means; is there only one?")
    return "\n".join(lines)


def _count_text(path: str) -> str:
    """Return how many localizations of a written store each channel has."""
    import numpy as np
    from dask.base import compute

    from mfxarray.display import number
    from mfxarray.minflux.rows import used_rows
    from mfxarray.stores.zarr_store import open_zarr

    data = open_zarr(path)
    channel = data["channel"].data
    highest, used = compute(channel.max(), used_rows(data).sum())
    parts = [(channel == one).sum() for one in range(int(highest) + 1)]
    counts = np.array(compute(*parts), np.int64)
    told = [f"channel {one}: {number(int(n))}" for one, n in enumerate(counts)]
    return ", ".join([*told, f"none: {number(int(used - counts.sum()))}"])


def _draw(fit: xr.Dataset, store: str, picture: str, title: str) -> None:
    from mfxarray import plot
    from mfxarray.stores.zarr_store import open_zarr

    save_picture(plot.channels(fit, open_zarr(store), title=title), picture)
