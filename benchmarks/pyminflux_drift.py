"""The drift in 2D that pyminflux finds; `drift.py` starts this in the environment of pyminflux.

It prints one line of JSON: seconds, and the shifts of the windows as pyminflux has them and, with
``--mended``, without three slips of its own: offsets within a pixel that are exchanged between x
and y, a centre of the correlation that is a pixel off for some sizes, and weights of pairs that
begin with the second one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pyminflux.correct._correct as correct
import pyminflux.render._render as render


class Numpy:
    """NumPy with other functions in place of some."""

    def __init__(self, **others: Any) -> None:
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def mend() -> None:
    """Take the slips out."""
    render.np = Numpy(meshgrid=lambda *axes, indexing="ij": np.meshgrid(*axes, indexing=indexing))
    correct.np = Numpy(round=np.ceil)
    cost = correct.lse_distance
    correct.lse_distance = lambda x, a, b, s, w, l: cost(x, a, b, s, np.append(0.0, w), l)  # noqa: E741


def main() -> None:
    """Read the localizations, time the estimate, print."""
    with np.load(sys.argv[1]) as file:
        data = {name: file[name] for name in file.files}
    found: dict[str, Any] = {}
    arguments = (data["x"], data["y"], data["t"], float(data["pixel"]))
    options = {"rx": tuple(data["rx"]), "ry": tuple(data["ry"]), "T": float(data["T"])}
    if "--mended" in sys.argv:
        mend()
    started = time.perf_counter()
    result = correct.drift_correction_time_windows_2d(*arguments, **options)
    found["seconds"] = time.perf_counter() - started
    found["x"], found["y"] = (part.tolist() for part in result[2:4])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
