"""Arguments of the commands for analyses of localizations: resolution, unmix."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import bounds, command, files, picture, running

__all__ = ["add_analyses"]


def add_analyses(commands: Any) -> None:
    """Add the commands."""
    _add_unmix(commands)


def _add_unmix(commands: Any) -> None:
    unmix = command(commands, "unmix", "channels:unmix_file", "tell fluorophores apart")
    files(unmix, "OUT.zarr", "a folder for the localizations with their channel")
    bounds(unmix)
    group = unmix.add_argument_group("how channels are found")
    group.add_argument(
        "--field",
        default="dcr",
        metavar="NAME",
        help="default dcr; dcr_pooled weights iterations by photons",
    )
    group.add_argument(
        "--components", default="2", metavar="N", help="fluorophores, or auto (by BIC); default 2"
    )
    group.add_argument("--per", choices=("trace", "localization"), default="trace")
    group.add_argument(
        "--statistic", choices=("mean", "median"), default="mean", help="of the values of a trace"
    )
    group.add_argument(
        "--vote",
        choices=("majority", "mean", "median"),
        help="how a trace gets its channel; default as --statistic",
    )
    group.add_argument(
        "--threshold",
        action="append",
        default=[],
        type=float,
        metavar="X",
        help="separates channels in place of the mixture; may be repeated",
    )
    group.add_argument("--min-confidence", type=float, default=0.5, metavar="P", help="default 0.5")
    group.add_argument(
        "--agreement",
        type=float,
        default=0.5,
        metavar="P",
        help="share of a trace that must agree (majority); default 0.5",
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the starts")
    picture(unmix)
    running(unmix)
