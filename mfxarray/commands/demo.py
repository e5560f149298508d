"""The command demo."""

from __future__ import annotations

from argparse import Namespace

__all__ = ["demo"]


def demo(arguments: Namespace) -> None:
    """Run the whole job on simulated data and print what was found."""
    from mfxarray.demo import run_demo

    report = run_demo(
        arguments.folder,
        cluster=arguments.cluster,
        workers=arguments.workers,
        memory_limit=arguments.memory_limit,
        size=arguments.size,
        seed=arguments.seed,
    )
    print(report.text)
