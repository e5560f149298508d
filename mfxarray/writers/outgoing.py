"""What every writer takes: one data set as blocks of records, with its attributes and beads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.formats.tables import BeadTrack

__all__ = ["Outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """One data set on its way to a file.

    Attributes
    ----------
    dtype
        Structured dtype of a record: nested (``itr`` is a compound) or flat.
    n_rows
        Number of records.
    blocks
        Gives the records from the first to the last, in blocks of this dtype that fit in memory.
        It may be called again, for writers that need more than one pass.
    label
        Name of the data set, such as "P1".
    attrs
        JSON-able attributes of the data set as the vendor stores them (``did``,
        ``acquisition_date``, ``measurement``).
    rois
        Regions as the vendor stores them.
    beads
        Beads of the data set.
    """

    dtype: np.dtype[Any]
    n_rows: int
    blocks: Callable[[], Iterator[np.ndarray[Any, Any]]]
    label: str = "P1"
    attrs: dict[str, Any] = field(default_factory=dict)
    rois: tuple[dict[str, Any], ...] = ()
    beads: tuple[BeadTrack, ...] = ()
