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
    _add_ions(commands)
    _add_demo(commands)
    _add_simulate(commands)
    return parser


def _add_show(commands: Any) -> None:
    info = _command(commands, "info", "show:info", "say what a file or store holds")
    _file(info)
    _add_convert(commands)
    render = _command(commands, "render", "show:render", "draw a picture")
    _files(render, "OUT", "ending in .png, .pdf or .svg")
    _bounds(render)
    render.add_argument("--axes", nargs=2, default=("x", "y"), metavar="AXIS", help="default x y")
    render.add_argument("--pixel-nm", type=float, metavar="NM", help="size of a pixel (MINFLUX)")
    render.add_argument("--log", action="store_true", help="logarithmic colours (ion images)")
    _running(render)


def _add_convert(commands: Any) -> None:
    convert = _command(
        commands, "convert", "convert:convert", "write a file to Zarr, Parquet or a vendor's format"
    )
    _files(
        convert,
        "OUT",
        ".zarr or .parquet for a store; .npy .mat .json .msr .pmx .csv for other programs",
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
    _running(convert)
    unpack = _command(
        commands, "unpack", "convert:unpack_file", "write the zarr folders packed in an .msr file"
    )
    unpack.add_argument("file", metavar="FILE.msr")
    unpack.add_argument("out", metavar="FOLDER", help="gets a folder for each data set")
    unpack.add_argument("--dataset", metavar="NAME", help="only this data set, such as P1")
    _overwrite(unpack)


def _add_localizations(commands: Any) -> None:
    kept = _command(
        commands, "filter", "localizations:filter_file", "keep localizations within bounds"
    )
    _files(kept, "OUT.zarr", "a folder for the localizations that pass")
    table = _command(commands, "traces", "localizations:traces_file", "make one row a trace")
    _files(table, "OUT.parquet", "a folder for the table")
    table.add_argument(
        "--ddof",
        choices=("0", "1", "python", "matlab"),
        default="1",
        help="1: sample deviation (default); or as the older tools do it",
    )
    for command in (kept, table):
        _bounds(command)
        command.add_argument("--keep-invalid", action="store_true", help="do not ask for vld")
        command.add_argument(
            "--unmeasured",
            choices=("keep", "drop"),
            default="keep",
            help="localizations whose cfr was not measured, when cfr is bounded (default keep)",
        )
        _running(command)


def _add_ions(commands: Any) -> None:
    clean = _command(commands, "clean", "ions:clean", "replace hot pixels of ion images")
    _files(clean, "OUT.zarr", "a folder for the cleaned stack")
    align = _command(commands, "align", "ions:align", "undo the drift of ion images")
    _files(align, "OUT.zarr", "a folder for the aligned stack")
    align.add_argument(
        "--detector",
        action="append",
        metavar="NAME",
        help='species to align by, such as "12C 14N"; may be repeated; default all ions',
    )
    align.add_argument("--clean", action="store_true", help="replace hot pixels first")
    align.add_argument("--padding", type=int, metavar="N", help="pixels added on every side")
    align.add_argument("--max-shift", type=int, metavar="N", help="largest drift, pixels")
    for command in (clean, align):
        command.add_argument(
            "--preset", choices=("seed",), help="seed: do it as the program openformat does"
        )
        command.add_argument(
            "--roll",
            nargs=2,
            type=int,
            default=(0, 0),
            metavar=("DY", "DX"),
            help="roll every image first; openformat rolls by 1 1",
        )
        _hot(command)
        _running(command)


def _add_demo(commands: Any) -> None:
    demo = _command(
        commands, "demo", "demo:demo", "run the whole job on simulated data, without a network"
    )
    demo.add_argument("--folder", default="mfxarray-demo", help="default ./mfxarray-demo")
    demo.add_argument("--size", choices=("small", "medium", "large"), default="small")
    demo.add_argument("--seed", type=int, default=1)
    _running(demo, overwrite=False)


def _add_simulate(commands: Any) -> None:
    simulate = commands.add_parser("simulate", help="write a simulated file", description="")
    kinds = simulate.add_subparsers(metavar="INSTRUMENT", required=True)
    minflux = _command(
        kinds, "minflux", "simulate:simulate_minflux_file", "an .npy file as Imspector exports it"
    )
    minflux.add_argument("out", metavar="OUT.npy")
    minflux.add_argument("--localizations", type=int, default=10_000, metavar="N")
    minflux.add_argument("--dimensions", type=int, choices=(2, 3), default=3)
    mims = _command(
        kinds, "mims", "simulate:simulate_mims_file", "an .im file as the NanoSIMS writes it"
    )
    mims.add_argument("out", metavar="OUT.im")
    mims.add_argument("--frames", type=int, default=20, metavar="N")
    mims.add_argument("--detectors", type=int, default=7, metavar="N")
    mims.add_argument("--size", type=int, default=128, metavar="N", help="pixels a side")
    mims.add_argument(
        "--mean-counts", type=float, default=60.0, metavar="C", help="of 12C 14N, a pixel"
    )
    for command in (minflux, mims):
        command.add_argument("--seed", type=int, default=0, help="equal seeds give equal files")
        _overwrite(command)


def _command(commands: Any, name: str, handler: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(handler=handler)
    return parser


def _handler(name: str) -> Callable[[argparse.Namespace], None]:
    module, function = name.split(":")
    found: Callable[[argparse.Namespace], None] = getattr(
        import_module(f"mfxarray.commands.{module}"), function
    )
    return found


def _files(parser: argparse.ArgumentParser, out: str, text: str) -> None:
    _file(parser)
    parser.add_argument("out", metavar=out, help=text)


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="MINFLUX or NanoSIMS data, or a store written by mfxarray"
    )
    group = parser.add_argument_group("how a MINFLUX file is opened")
    group.add_argument("--dataset", metavar="NAME", help="one of several data sets, such as P1")
    group.add_argument(
        "--view",
        choices=("valid", "all"),
        help="of flat records: without invalid ones (default), or with them",
    )
    group.add_argument("--units", choices=("nm", "um", "m"), help="of a text table without units")
    group.add_argument(
        "--partial", action="store_true", help="open what is there of a damaged file"
    )


def _overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")


def _running(parser: argparse.ArgumentParser, *, overwrite: bool = True) -> None:
    if overwrite:
        _overwrite(parser)
    group = parser.add_argument_group("where it runs")
    group.add_argument(
        "--cluster",
        choices=("threads", "local"),
        default="threads",
        help="threads of one process (default), or a cluster of processes on this machine",
    )
    group.add_argument("--workers", type=int, default=2, metavar="N", help="default 2")
    group.add_argument(
        "--memory-limit", default="1GiB", metavar="SIZE", help="of a process; default 1GiB"
    )


def _bounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bound",
        action="append",
        default=[],
        type=_bound,
        metavar="FIELD:LOW:HIGH",
        help="keep LOW <= FIELD <= HIGH in SI units; leave one out for no bound, as in cfr::0.8; "
        "may be repeated",
    )


def _bound(text: str) -> tuple[str, tuple[float | None, float | None]]:
    parts = text.split(":")
    if len(parts) != 3 or not parts[0]:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD:LOW:HIGH, as in efo:13000:48000")
    try:
        low, high = (float(part) if part else None for part in parts[1:])
    except ValueError:
        raise argparse.ArgumentTypeError(f"the bounds in {text!r} must be numbers") from None
    if any(value is not None and value != value for value in (low, high)):
        raise argparse.ArgumentTypeError(f"the bounds in {text!r} must be numbers")
    return parts[0], (low, high)


def _hot(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("hot pixels")
    group.add_argument(
        "--method",
        choices=("poisson", "count"),
        help="poisson (default): by a rate of false positives; count: by a factor only",
    )
    group.add_argument(
        "--false-positives", type=float, metavar="P", help="share of clean pixels, at most"
    )
    group.add_argument(
        "--replacement",
        choices=("median", "draw"),
        help="median of the neighbours (default), or a Poisson draw of it",
    )
    group.add_argument("--seed", type=int, metavar="N", help="of the draws")
    group.add_argument("--outlier-factor", type=float, metavar="X", help="times the local median")
    group.add_argument("--min-count", type=float, metavar="C", help="the median is at least this")
    group.add_argument("--num-outliers", type=int, metavar="N", help="detectors that must vote")
    group.add_argument("--num-nonzero", type=int, metavar="N", help="detectors that must count")
    group.add_argument("--kernel-size", type=int, metavar="N", help="window of the median, odd")
    group.add_argument(
        "--max-repeat-fraction",
        type=float,
        metavar="F",
        help="pixels hot in more than this fraction of the frames are structure",
    )


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mfxarray: warning: {safe_text(message, _MESSAGE)}", file=sys.stderr)
