"""Arguments of the commands for localizations: filter, traces, register, drift, stats."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import bounds, command, files, opening, picture, running

__all__ = ["add_localizations"]


def add_localizations(commands: Any) -> None:
    """Add the commands."""
    _add_localizations(commands)
    _add_positions(commands)
    _add_statistics(commands)


def _add_localizations(commands: Any) -> None:
    kept = command(
        commands, "filter", "localizations:filter_file", "keep localizations within bounds"
    )
    files(kept, "OUT.zarr", "a folder for the localizations that pass")
    table = command(commands, "traces", "localizations:traces_file", "make one row a trace")
    files(table, "OUT.parquet", "a folder for the table")
    table.add_argument(
        "--ddof",
        choices=("0", "1", "python", "matlab"),
        default="1",
        help="1: sample deviation (default); or as the older tools do it",
    )
    for one in (kept, table):
        bounds(one)
        one.add_argument(
            "--min-localizations", type=int, metavar="N", help="of a trace, after --bound"
        )
        one.add_argument(
            "--filters", metavar="FILE", help="masks of save_filters, .json or .toml, applied last"
        )
        one.add_argument("--keep-invalid", action="store_true", help="do not ask for vld")
        one.add_argument(
            "--unmeasured",
            choices=("keep", "drop"),
            default="keep",
            help="localizations whose cfr was not measured, when cfr is bounded (default keep)",
        )
        running(one)


def _add_positions(commands: Any) -> None:
    washes = command(
        commands, "register", "positions:register_files", "bring washes together by their beads"
    )
    washes.add_argument(
        "washes", nargs="+", metavar="WASH", help="MINFLUX files with beads, in order"
    )
    washes.add_argument("--out", required=True, metavar="OUT.zarr", help="a folder for all washes")
    washes.add_argument("--match", choices=("name", "geometry"), default="name")
    washes.add_argument(
        "--rotation", choices=("none", "z", "rigid"), default="none", help="of 3 or more beads"
    )
    washes.add_argument("--at", choices=("trace", "localization"), default="trace")
    drift = command(commands, "drift", "positions:drift_file", "subtract the drift, without beads")
    files(drift, "OUT.zarr", "a folder for the corrected localizations")
    drift.add_argument("--preset", choices=("default", "seed", "paint21"), default="default")
    drift.add_argument("--window", type=float, metavar="S", help="length of a time window")
    drift.add_argument("--dimensions", type=int, choices=(2, 3))
    for one in (washes, drift):
        picture(one)
        running(one)


def _add_statistics(commands: Any) -> None:
    stats = command(commands, "stats", "statistics:stats_files", "tell how good measurements are")
    stats.add_argument("files", nargs="+", metavar="FILE", help="MINFLUX data, or stores of it")
    stats.add_argument("--out", metavar="OUT.csv", help="a table, one row a file; or .parquet")
    stats.add_argument("--picture", metavar="OUT.png", help="the page of a single file")
    stats.add_argument("--preset", choices=("default", "seed", "paint21"), default="default")
    stats.add_argument(
        "--drift",
        choices=("preset", "default", "seed", "paint21", "none"),
        default="preset",
        help="how the drift is found that is subtracted first; default that of --preset",
    )
    stats.add_argument("--ddof", choices=("0", "1", "python", "matlab"), default="1")
    stats.add_argument(
        "--resolution",
        action="store_true",
        help="correlate random halves too, split by localization, as published figures are",
    )
    stats.add_argument(
        "--keep-going", action="store_true", help="exit code 0 although some files failed"
    )
    opening(stats)
    bounds(stats)
    running(stats)
