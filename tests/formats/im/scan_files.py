"""Files of NanoSIMS analyses that are no images."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import random_content

__all__ = ["scan_bytes"]


def scan_bytes(
    traces: Sequence[tuple[Any, Any]],
    kind: int,
    *,
    version: int = 10,
    order: str = "<",
    seed: int = 0,
    name: str = "",
    labels: Sequence[str] | None = None,
) -> bytes:
    """Return a file of one trace a mass: abscissas and rates."""
    content = random_content(random.Random(seed), kind, version)
    content["definition"] |= {"data_present": 1, "analysis_name": name}
    content["masses"] = [dict(content["masses"][0]) for _ in traces]
    content["calibrations"] = []
    for mass, label in zip(content["masses"], labels or (), strict=labels is not None):
        mass["species"] = {**mass["species"], "label": label}
    raw = header_from(content, analysis_type=kind, version=version, order=order)
    raw += np.array(len(traces), f"{order}i4").tobytes()
    for x, y in traces:
        raw += np.array(len(x), f"{order}i4").tobytes()
        raw += np.array([x, y], f"{order}f8").tobytes()
    return raw
