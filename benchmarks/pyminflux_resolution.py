"""The resolution that pyminflux finds; `resolution.py` starts this in the environment of pyminflux.

It prints one line of JSON: seconds, of the clock and of the processor, and resolution of one
repetition, and the curve and resolution that its ring correlation gives for two halves that it is
told.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from pyminflux.fourier import estimate_resolution_by_frc, img_fourier_ring_correlation


def main() -> None:
    """Read the localizations, time a repetition, print."""
    with np.load(sys.argv[1]) as file:
        data = {name: file[name] for name in file.files}
    found: dict[str, Any] = {}
    limits = {"rx": tuple(data["rx"]), "ry": tuple(data["ry"])}
    started, busy = time.perf_counter(), time.process_time()
    resolution, _, _ = estimate_resolution_by_frc(
        data["x"], data["y"], num_reps=1, sx=1.0, sy=1.0, seed=1, **limits
    )
    found["seconds"] = time.perf_counter() - started
    found["busy"] = time.process_time() - busy
    found["resolution"] = float(resolution)
    if "--halves" in sys.argv:
        edges = [np.arange(low, high + 0.5) for low, high in (data["ry"], data["rx"])]
        first = data["first"]
        images = [
            np.histogram2d(data["y"][half], data["x"][half], edges)[0] for half in (first, ~first)
        ]
        told, _, _, curve = img_fourier_ring_correlation(*images)
        found["of_halves"], found["curve"] = float(told), curve.tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
