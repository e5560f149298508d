"""The command simulate: files of both instruments with a known truth."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from mfxarray.commands.files import check_output, summary_of_output

__all__ = ["simulate_mims_file", "simulate_minflux_file"]


def simulate_minflux_file(arguments: Namespace) -> None:
    """Write a MINFLUX file of simulated localizations."""
    from mfxarray.simulate.minflux import simulate_minflux

    out = check_output(arguments, ".npy")
    truth = simulate_minflux(
        out,
        localizations=arguments.localizations,
        seed=arguments.seed,
        dimensions=arguments.dimensions,
    )
    precision = ", ".join(f"{value * 1e9:g}" for value in truth.precision_m)
    print(f"{len(truth.trace_tid)} traces, precision (x, y, z) {precision} nm")
    print(summary_of_output(out))


def simulate_mims_file(arguments: Namespace) -> None:
    """Write an ``.im`` file of simulated ion images, and the truth beside it."""
    from mfxarray.simulate.mims import simulate_mims

    out = check_output(arguments, ".im")
    truth = simulate_mims(
        out,
        frames=arguments.frames,
        detectors=arguments.detectors,
        size=arguments.size,
        seed=arguments.seed,
        mean_counts=arguments.mean_counts,
    )
    beside = Path(f"{out}.truth.json")
    beside.write_text(json.dumps(truth.summary()), encoding="utf-8")
    print(f"detectors: {', '.join(truth.labels)}")
    print(f"{len(truth.hot_pixels)} hot pixels; truth in {beside}")
    print(summary_of_output(out))
