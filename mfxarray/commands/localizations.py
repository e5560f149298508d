"""The commands for localizations: filter and traces."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from mfxarray.commands.files import (
    bounds_of,
    check_output,
    client_of,
    open_localizations,
    summary_of_output,
)
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from mfxarray.minflux.filtering.conditions import Condition

__all__ = ["filter_file", "traces_file"]


def filter_file(arguments: Namespace) -> None:
    """Write the localizations that pass the bounds to a Zarr store."""
    from mfxarray.display import number
    from mfxarray.stores.zarr_store import write_zarr

    out = check_output(arguments, ".zarr")
    data = open_localizations(arguments)
    with client_of(arguments) as at:
        kept = _kept(data, arguments, at)
        with progress("writing localizations", at):
            write_zarr(kept, out, overwrite=arguments.overwrite)
    before, after = data.sizes["localization"], kept.sizes["localization"]
    share = f" ({after / before:.1%})" if before else ""
    print(f"kept {number(after)} of {number(before)} localizations{share}")
    print(summary_of_output(out))


def traces_file(arguments: Namespace) -> None:
    """Write one row a trace to a Parquet store."""
    from mfxarray.display import number
    from mfxarray.minflux.traces.table import traces
    from mfxarray.stores.parquet import write_parquet

    out = check_output(arguments, ".parquet")
    data = open_localizations(arguments)
    with client_of(arguments) as at:
        table = traces(_kept(data, arguments, at), ddof=_ddof(arguments.ddof))
        with progress("writing traces", at):
            write_parquet(table, out, overwrite=arguments.overwrite)
    print(f"found {number(table.sizes['trace'])} traces")
    print(summary_of_output(out))


def _kept(data: xr.Dataset, arguments: Namespace, at: Client | None) -> xr.Dataset:
    from mfxarray.minflux.filtering.filters import compact, filter_localizations
    from mfxarray.minflux.filtering.funnel import funnel
    from mfxarray.minflux.filtering.masks import mask_localizations

    steps = _steps(arguments)
    masked = filter_localizations(
        data,
        valid=not arguments.keep_invalid,
        unmeasured=arguments.unmeasured,
        bounds=bounds_of(arguments),
    )
    with progress("counting localizations and traces", at):
        masked = mask_localizations(masked, steps)
        if steps:
            print(_funnel_text(funnel(masked)))
        return compact(masked)


def _steps(arguments: Namespace) -> list[tuple[str, Condition]]:
    """Return the named masks that are asked for, the one of the command line first."""
    from mfxarray.minflux.filtering.files import load_filters
    from mfxarray.minflux.filtering.trace_masks import TraceLength

    given = [] if arguments.filters is None else load_filters(arguments.filters)
    if arguments.min_localizations is None:
        return given
    return [("min_localizations", TraceLength(arguments.min_localizations)), *given]


def _funnel_text(table: xr.Dataset) -> str:
    """Return what each step left, one line each."""
    from mfxarray.display import number, safe_text

    names = [safe_text(name, 40) for name in table["step"].values.tolist()]
    width = max(len(name) for name in names)
    lines = [f"{'step':<{width}}  {'localizations':>13}  {'traces':>9}"]
    for name, rows, traces in zip(
        names, table["localizations"].values, table["traces"].values, strict=True
    ):
        lines.append(f"{name:<{width}}  {number(rows):>13}  {number(traces):>9}")
    return "\n".join(lines)


def _ddof(text: str) -> int | str:
    return int(text) if text.isdigit() else text
