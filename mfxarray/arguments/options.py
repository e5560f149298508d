"""Options that the commands share."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = [
    "bound",
    "bounds",
    "command",
    "file",
    "files",
    "hot",
    "opening",
    "picture",
    "replacing",
    "running",
]


def command(commands: Any, name: str, handler: str, text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(handler=handler)
    return parser


def files(parser: argparse.ArgumentParser, out: str, text: str) -> None:
    """Add the input and the output of a command."""
    file(parser)
    parser.add_argument("out", metavar=out, help=text)


def file(parser: argparse.ArgumentParser) -> None:
    """Add the input of a command, and how it is opened."""
    parser.add_argument(
        "file", metavar="FILE", help="MINFLUX or NanoSIMS data, or a store written by mfxarray"
    )
    opening(parser)


def opening(parser: argparse.ArgumentParser) -> None:
    """Add how a MINFLUX file is opened."""
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


def replacing(parser: argparse.ArgumentParser) -> None:
    """Add --overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")


def picture(parser: argparse.ArgumentParser) -> None:
    """Add --picture."""
    parser.add_argument("--picture", metavar="OUT.png", help="draw what was found")


def running(parser: argparse.ArgumentParser, *, overwrite: bool = True) -> None:
    """Add where a command runs."""
    if overwrite:
        replacing(parser)
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


def bounds(parser: argparse.ArgumentParser) -> None:
    """Add bounds of fields."""
    parser.add_argument(
        "--bound",
        action="append",
        default=[],
        type=bound,
        metavar="FIELD:LOW:HIGH",
        help="keep LOW <= FIELD <= HIGH in SI units; leave one out for no bound, as in cfr::0.8; "
        "may be repeated",
    )


def bound(text: str) -> tuple[str, tuple[float | None, float | None]]:
    """Return field and bounds of FIELD:LOW:HIGH."""
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


def hot(parser: argparse.ArgumentParser) -> None:
    """Add how hot pixels are found and replaced."""
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
