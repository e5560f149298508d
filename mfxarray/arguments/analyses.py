"""Arguments of the commands for analyses of localizations: resolution, unmix."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import bounds, command, file, files, picture, running

__all__ = ["add_analyses"]


def add_analyses(commands: Any) -> None:
    """Add the commands."""
    _add_cluster(commands)
    _add_resolution(commands)
    _add_unmix(commands)


def _add_cluster(commands: Any) -> None:
    one = command(commands, "cluster", "clusters:cluster_file", "find clusters by density (DBSCAN)")
    files(one, "OUT.zarr", "a folder for the points with their cluster, -1 for noise")
    bounds(one)
    group = one.add_argument_group("what a cluster is")
    group.add_argument(
        "--eps-nm", type=float, required=True, metavar="NM", help="neighbours are so near"
    )
    group.add_argument(
        "--min-samples",
        type=int,
        default=3,
        metavar="N",
        help="neighbours of a core point, itself included; default 3",
    )
    group.add_argument("--traces", action="store_true", help="cluster the means of traces")
    group.add_argument("--by", metavar="NAME", help="only within each wash, trace or channel")
    group.add_argument(
        "--dimensions", type=int, choices=(2, 3), help="2 for x and y alone; default all axes"
    )
    picture(one)
    running(one)


def _add_resolution(commands: Any) -> None:
    one = command(
        commands,
        "resolution",
        "resolution:resolution_file",
        "tell the resolution by Fourier ring correlation",
    )
    file(one)
    bounds(one)
    group = one.add_argument_group("how halves are correlated")
    group.add_argument("--means", action="store_true", help="of the means of traces")
    group.add_argument(
        "--pixel-nm", type=float, default=1.0, metavar="NM", help="size of a pixel; default 1"
    )
    group.add_argument(
        "--split",
        choices=("trace", "localization"),
        help="what stays together in a half; default trace",
    )
    group.add_argument("--repeats", type=int, metavar="N", help="random splits; default 8")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the splits")
    group.add_argument("--dimensions", type=int, choices=(2, 3), default=2)
    group.add_argument("--preset", choices=("default", "seed"), default="default")
    picture(one)
    running(one)


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
