"""Arguments of the commands that make data: demo, simulate."""

from __future__ import annotations

from typing import Any

from mfxarray.arguments.options import command, replacing, running

__all__ = ["add_samples"]


def add_samples(commands: Any) -> None:
    """Add the commands."""
    _add_demo(commands)
    _add_simulate(commands)


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
