"""The command stats: one page of one measurement, one table of many."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mfxarray.commands.files import (
    PICTURES,
    check_output,
    client_of,
    save_picture,
    summary_of_output,
    write_table,
)
from mfxarray.commands.points import bounded_localizations
from mfxarray.errors import DataError, MfxError
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from distributed import Client

__all__ = ["stats_files"]

# what else goes wrong with a file than MfxError: no localization is left, it cannot be read
_FAILURES = (MfxError, ValueError, OSError)


def stats_files(arguments: Namespace) -> None:
    """Print the statistics of files, write them as a table, draw the page of a single file.

    Raises
    ------
    DataError
        If a file is damaged or holds something else. Of several files the others are done first;
        with ``keep_going`` that is a warning, as long as one file was done.
    """
    files = list(arguments.files)
    table, picture = _outputs(arguments, files)
    done: list[tuple[str, xr.Dataset]] = []
    failed: list[str] = []
    with client_of(arguments) as at:
        for path in files:
            try:
                done.append((path, _sheet(path, arguments, at)))
            except _FAILURES as error:
                if len(files) == 1:
                    raise
                failed.append(f"{path}: {error}" if path not in str(error) else str(error))
    if done:
        _write(done, table, picture, arguments.overwrite)
    if failed:
        _tell(failed, len(files), goes_on=arguments.keep_going and bool(done))


def _outputs(arguments: Namespace, files: list[str]) -> tuple[str | None, str | None]:
    """Return the paths of the table and the picture, if they may be written."""
    if arguments.picture is not None and len(files) > 1:
        raise ValueError(
            f"--picture draws the page of one file, not of {len(files)}; --out writes their table"
        )
    wanted = ((arguments.out, (".csv", ".parquet")), (arguments.picture, PICTURES))
    for out, endings in wanted:
        for path in files if out is not None else ():
            one = Namespace(out=out, file=path, overwrite=arguments.overwrite)
            check_output(one, *endings)
    return arguments.out, arguments.picture


def _sheet(path: str, arguments: Namespace, at: Client | None) -> xr.Dataset:
    """Return the statistics of a file, in memory."""
    from mfxarray.minflux.sheet.sheet import statistics

    data = bounded_localizations(Namespace(**{**vars(arguments), "file": path}))
    ddof = int(arguments.ddof) if arguments.ddof.isdigit() else arguments.ddof
    drift = {"preset": None, "none": False}.get(arguments.drift, arguments.drift)
    with progress(f"counting {Path(path).name}", at):
        frc = _correlations(data) if arguments.resolution else None
        sheet = statistics(data, preset=arguments.preset, ddof=ddof, drift=drift, frc=frc)
        # a picture is drawn of a single file; many would only fill memory
        kept = sheet if arguments.picture is not None else sheet.drop_vars("image")
        return kept.compute()


def _correlations(data: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return what the page shows of the resolution, of localizations and of means of traces."""
    from mfxarray.minflux.resolution.correlate import resolution
    from mfxarray.minflux.traces.table import traces

    means = traces(data, medians=(), photons=None)
    points = {"localizations": data, "combined": means}
    return {
        name: resolution(of, split="localization" if of is data else None).load()
        for name, of in points.items()
    }


def _write(
    done: list[tuple[str, xr.Dataset]], out: str | None, picture: str | None, overwrite: bool
) -> None:
    from mfxarray.display import safe_text
    from mfxarray.minflux.sheet.table import statistics_table

    rows = statistics_table([sheet for _, sheet in done], [path for path, _ in done])
    if len(done) == 1:
        print(_column(rows))
    for name, notes in zip(rows["name"], rows["notes"], strict=True):
        if notes:
            print(f"{safe_text(name)}: {safe_text(notes, 2000)}")
    if picture is not None:
        from mfxarray import plot

        save_picture(plot.statistics(done[0][1], title=Path(done[0][0]).name), picture)
    if out is not None:
        write_table(rows, out, overwrite=overwrite)
        print(summary_of_output(out))
    elif len(done) > 1:
        print(_few_columns(rows))


def _column(rows: pd.DataFrame) -> str:
    """Return one file's numbers, a line each."""
    from mfxarray.display import safe_text

    numbers = rows.drop(columns=["name", "notes"]).iloc[0]
    width = max(map(len, numbers.index)) + 2
    lines = [f"  {name:<{width}}{value:.6g}" for name, value in numbers.items()]
    return "\n".join([safe_text(rows["name"].iloc[0]), *lines])


def _few_columns(rows: pd.DataFrame) -> str:
    """Return what fits on a terminal: medians and totals of every file."""
    from mfxarray.display import safe_text

    wanted = ["localizations", "traces", "fbg_median_Hz", "cfr_median", "t_scan_median_s"]
    wanted += ["sigma_x_median_nm", "sigma_y_median_nm", "sigma_z_median_nm"]
    shown = rows.set_index(rows["name"].map(lambda path: safe_text(Path(path).name, 40)))[wanted]
    return str(shown.rename_axis(index=None).to_string(float_format=lambda one: f"{one:.4g}"))


def _tell(failed: list[str], count: int, *, goes_on: bool) -> None:
    reasons = "; ".join(one.rstrip(".") for one in failed)
    text = f"{len(failed)} of {count} files gave no statistics: {reasons}"
    if not goes_on:
        raise DataError(text)
    sys.stdout.flush()
    warnings.warn(text, stacklevel=2)
