"""The command line ``mfxarray``: reads arguments, hands over to `mfxarray.commands`.

Nothing heavy is imported before a command runs, so that ``mfxarray --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from mfxarray._version import __version__
from mfxarray.cli_options import bounds, command, file, files, hot, opening, replacing, running
from mfxarray.display import safe_text
from mfxarray.errors import MfxError

__all__ = ["main", "make_parser"]

_INTERRUPTED = 130
_MESSAGE = 2000


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for an error, 2 for usage, 130 for Ctrl-C."""
    arguments = make_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _handler(arguments.handler)(arguments)
            sys.stdout.flush()
    except (MfxError, ValueError, FileNotFoundError, PermissionError) as error:
        # the Python option of the same meaning is named in errors of the library
        text = str(error).replace("overwrite=True", "--overwrite")
        print(f"mfxarray: error: {safe_text(text, _MESSAGE)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mfxarray: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe (head) has gone; keep Python from complaining about it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="mfxarray",
        description="MINFLUX localizations and NanoSIMS ion images, larger than memory.",
        epilog="mfxarray COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"mfxarray {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_show(commands)
    _add_localizations(commands)
    _add_positions(commands)
    _add_statistics(commands)
    _add_ions(commands)
    _add_demo(commands)
    _add_simulate(commands)
    return parser


def _add_show(commands: Any) -> None:
    info = command(commands, "info", "show:info", "say what a file or store holds")
    file(info)
    header = command(
        commands, "header", "show:header", "print all that the header of a NanoSIMS file says"
    )
    header.add_argument("file", metavar="FILE", help="of any kind of analysis, plain or packed")
    _add_convert(commands)
    _add_render(commands)


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
        one.add_argument("--picture", metavar="OUT.png", help="draw what was found")
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
        "--keep-going", action="store_true", help="exit code 0 although some files failed"
    )
    opening(stats)
    bounds(stats)
    running(stats)


def _add_ions(commands: Any) -> None:
    clean = command(commands, "clean", "ions:clean", "replace hot pixels of ion images")
    files(clean, "OUT.zarr", "a folder for the cleaned stack")
    align = command(commands, "align", "ions:align", "undo the drift of ion images")
    files(align, "OUT.zarr", "a folder for the aligned stack")
    align.add_argument(
        "--detector",
        action="append",
        metavar="NAME",
        help='species to align by, such as "12C 14N"; may be repeated; default all ions',
    )
    align.add_argument("--clean", action="store_true", help="replace hot pixels first")
    align.add_argument("--padding", type=int, metavar="N", help="pixels added on every side")
    align.add_argument("--max-shift", type=int, metavar="N", help="largest drift, pixels")
    for one in (clean, align):
        one.add_argument(
            "--preset", choices=("seed",), help="seed: do it as the program openformat does"
        )
        one.add_argument(
            "--roll",
            nargs=2,
            type=int,
            default=(0, 0),
            metavar=("DY", "DX"),
            help="roll every image first; openformat rolls by 1 1",
        )
        hot(one)
        running(one)


def _add_demo(commands: Any) -> None:
    demo = command(
        commands, "demo", "demo:demo", "run the whole job on simulated data, without a network"
    )
    demo.add_argument("--folder", default="mfxarray-demo", help="default ./mfxarray-demo")
    demo.add_argument("--size", choices=("small", "medium", "large"), default="small")
    demo.add_argument("--seed", type=int, default=1)
    running(demo, overwrite=False)


def _add_simulate(commands: Any) -> None:
    simulate = commands.add_parser("simulate", help="write a simulated file", description="")
    kinds = simulate.add_subparsers(metavar="INSTRUMENT", required=True)
    minflux = command(
        kinds, "minflux", "simulate:simulate_minflux_file", "an .npy file as Imspector exports it"
    )
    minflux.add_argument("out", metavar="OUT.npy")
    minflux.add_argument("--localizations", type=int, default=10_000, metavar="N")
    minflux.add_argument("--dimensions", type=int, choices=(2, 3), default=3)
    mims = command(
        kinds, "mims", "simulate:simulate_mims_file", "an .im file as the NanoSIMS writes it"
    )
    mims.add_argument("out", metavar="OUT.im")
    mims.add_argument("--frames", type=int, default=20, metavar="N")
    mims.add_argument("--detectors", type=int, default=7, metavar="N")
    mims.add_argument("--size", type=int, default=128, metavar="N", help="pixels a side")
    mims.add_argument(
        "--mean-counts", type=float, default=60.0, metavar="C", help="of 12C 14N, a pixel"
    )
    for one in (minflux, mims):
        one.add_argument("--seed", type=int, default=0, help="equal seeds give equal files")
        replacing(one)


def _handler(name: str) -> Callable[[argparse.Namespace], None]:
    module, function = name.split(":")
    found: Callable[[argparse.Namespace], None] = getattr(
        import_module(f"mfxarray.commands.{module}"), function
    )
    return found


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mfxarray: warning: {safe_text(message, _MESSAGE)}", file=sys.stderr)
