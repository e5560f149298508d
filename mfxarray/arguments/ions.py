"""Arguments of the commands for ion images: clean, align."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import command, files, hot, running

__all__ = ["add_ions"]


def add_ions(commands: Any) -> None:
    """Add the commands."""
    _add_ions(commands)


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
