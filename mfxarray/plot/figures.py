"""New figures, and figures to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mfxarray.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_figure", "save"]

_DPI = 150


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches; labels never overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file; the format follows the ending, and the file appears when complete.

    Raises
    ------
    DataError
        If the folder does not exist or the ending names no picture format.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise DataError("its folder does not exist", path=target, hint="Create the folder first.")
    known = figure.canvas.get_supported_filetypes()
    kind = target.suffix[1:].lower()
    if kind not in known:
        hint = f"Known: {', '.join(sorted(known))}."
        raise DataError(f"{target.suffix!r} is no picture format", path=target, hint=hint)
    # without the date of writing the same picture is the same file
    metadata = {
        "png": {"Software": "mfxarray"},
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
    }
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        figure.savefig(temporary, format=kind, metadata=metadata.get(kind))
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
