"""Arguments of the commands for all data: info, header, convert, unpack, render."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import bounds, command, file, files, replacing, running

__all__ = ["add_files"]


def add_files(commands: Any) -> None:
    """Add the commands."""
    _add_show(commands)
    _add_convert(commands)
    _add_render(commands)


def _add_show(commands: Any) -> None:
    info = command(commands, "info", "show:info", "say what a file or store holds")
    file(info)
    header = command(
        commands, "header", "show:header", "print all that the header of a NanoSIMS file says"
    )
    header.add_argument("file", metavar="FILE", help="of any kind of analysis, plain or packed")


def _add_convert(commands: Any) -> None:
    convert = command(
        commands, "convert", "convert:convert", "write a file to Zarr, Parquet or a vendor's format"
    )
    files(
        convert,
        "OUT",
        ".zarr or .parquet for a store; .npy .mat .json .msr .pmx .csv .vtu for other programs",
    )
    convert.add_argument(
        "--container",
        choices=("npy", "mat", "mat73", "json", "zarr", "zip", "msr", "pmx", "csv"),
        help="the vendor's format where the ending does not tell, as zarr for a .zarr folder",
    )
    convert.add_argument(
        "--model",
        choices=("v1", "v2"),
        help="records nested (to m2205) or flat (from m2410); default as in FILE",
    )
    convert.add_argument(
        "--layout",
        choices=("pyminflux", "plain", "seed", "matlab"),
        default="pyminflux",
        help="columns of a .csv: as pyMINFLUX (default), all we have, or as the older tools",
    )
    convert.add_argument(
        "--unit", choices=("m", "um", "nm"), default="m", help="of a .vtu for ParaView; default m"
    )
    running(convert)
    unpack = command(
        commands, "unpack", "convert:unpack_file", "write the zarr folders packed in an .msr file"
    )
    unpack.add_argument("file", metavar="FILE.msr")
    unpack.add_argument("out", metavar="FOLDER", help="gets a folder for each data set")
    unpack.add_argument("--dataset", metavar="NAME", help="only this data set, such as P1")
    replacing(unpack)


def _add_render(commands: Any) -> None:
    render = command(commands, "render", "rendering:render", "draw a picture, or write an image")
    files(render, "OUT", "a picture .png .pdf .svg; of localizations also an image .tif .zarr")
    bounds(render)
    render.add_argument("--log", action="store_true", help="logarithmic colours (ion images)")
    group = render.add_argument_group("localizations")
    group.add_argument(
        "--axes", nargs="+", default=("x", "y"), metavar="AXIS", help="two or three; default x y"
    )
    group.add_argument(
        "--pixel-nm", type=float, metavar="NM", help="size of a pixel; of an image 1 by default"
    )
    group.add_argument(
        "--kind",
        choices=("histogram", "gaussian", "precision"),
        help="count (default), or draw Gaussians as wide as --sigma-nm or as each is uncertain",
    )
    group.add_argument("--sigma-nm", type=float, metavar="NM", help="of Gaussians")
    group.add_argument(
        "--color", metavar="NAME", help="channel, wash, depth, time, or any variable"
    )
    group.add_argument("--traces", action="store_true", help="draw the centre of each trace")
    running(render)
