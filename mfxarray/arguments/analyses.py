"""Arguments of the commands for analyses of localizations: resolution, unmix."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import bounds, command, file, files, opening, picture, running

__all__ = ["add_analyses"]


def add_analyses(commands: Any) -> None:
    """Add the commands."""
    _add_cluster(commands)
    _add_coloc(commands)
    _add_resolution(commands)
    _add_track(commands)
    _add_unmix(commands)


def _add_cluster(commands: Any) -> None:
    one = command(commands, "cluster", "clusters:cluster_file", "find clusters by density (DBSCAN)")
    files(one, "OUT.zarr", "a folder for the points with their cluster, -1 for noise")
    bounds(one)
    group = one.add_argument_group("what a cluster is")
    group.add_argument(
        "--eps-nm", type=float, required=True, metavar="NM", help="largest distance of neighbours"
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


def _add_coloc(commands: Any) -> None:
    one = command(
        commands,
        "coloc",
        "colocalization:coloc_files",
        "join clusters of channels, tell who shares them",
    )
    one.add_argument(
        "files", nargs="+", metavar="FILE", help="a channel each, or one with --channels"
    )
    one.add_argument(
        "--out", required=True, metavar="OUT.csv", help="a table of clusters; or .parquet"
    )
    opening(one)
    bounds(one)
    group = one.add_argument_group("what shares a cluster")
    group.add_argument(
        "--channels", metavar="NAME", help="integers along the points; default channel, else wash"
    )
    group.add_argument("--traces", action="store_true", help="take the mean of each trace")
    group.add_argument(
        "--eps-nm",
        type=float,
        default=10.0,
        metavar="NM",
        help="largest distance of neighbours; default 10",
    )
    group.add_argument("--min-samples", type=int, default=3, metavar="N", help="default 3")
    group.add_argument(
        "--max-size-nm", type=float, default=30.0, metavar="NM", help="clusters are smaller; 30"
    )
    group.add_argument(
        "--min-localizations",
        type=int,
        default=10,
        metavar="N",
        help="clusters have more points; default 10, fewer with --traces",
    )
    group.add_argument("--dimensions", type=int, choices=(2, 3))
    group = one.add_argument_group("beside chance")
    group.add_argument("--null", choices=("permute", "shift", "csr"), help="what is random")
    group.add_argument("--repeats", type=int, default=199, metavar="N", help="default 199")
    group.add_argument("--seed", type=int, default=0, metavar="N")
    group.add_argument(
        "--r-max-nm", type=float, default=200.0, metavar="NM", help="of g(r) in the picture"
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


def _add_track(commands: Any) -> None:
    track = command(commands, "track", "tracking:track_file", "tell how molecules move")
    files(track, "OUT.parquet", "a folder for the table, one row a track")
    bounds(track)
    group = track.add_argument_group("how motion is told")
    group.add_argument("--method", choices=("cve", "mle", "msd"), default="cve")
    group.add_argument(
        "--blur",
        type=float,
        default=0.0,
        metavar="R",
        help="1/6 if light is gathered all the time; default 0",
    )
    group.add_argument("--dimensions", type=int, choices=(1, 2, 3))
    group.add_argument(
        "--trim", type=int, default=0, metavar="N", help="leave out at either end; default 0"
    )
    group.add_argument(
        "--gap",
        type=float,
        default=2.5,
        metavar="X",
        help="cut where a step takes X times the shortest; 0 for never; default 2.5",
    )
    group.add_argument(
        "--lags", type=int, default=10, metavar="N", help="points of the drawn curve; default 10"
    )
    group.add_argument(
        "--no-classes", action="store_true", help="do not tell kinds of motion, which takes longest"
    )
    picture(track)
    running(track)
