"""What the demo found: a table with the truth beside it, in text and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mfxarray.errors import DataError

__all__ = ["Report", "Result", "Row", "prepare_folder", "write_report"]

_MARK = "README.txt"
_ABOUT = """Made by `mfxarray demo` from simulated data; the next demo replaces it.

raw/            what the instruments would have written: wash0.npy, wash1.npy (MINFLUX, two washes
                of one sample, with beads beside them) and stack.im (NanoSIMS)
minflux/        localizations that passed the filters (Zarr), one row a trace (Parquet), pictures
mims/           the cleaned and aligned stack and its sum (Zarr), pictures
truth.json      what was simulated
summary.json    what was found, and the truth beside it; summary.txt is the same for reading
"""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    what
        Its name.
    found, truth
        Values; the truth is None where there is none.
    unit
        Of both, "" for counts.
    digits
        After the point.
    """

    what: str
    found: float
    truth: float | None = None
    unit: str = ""
    digits: int = 0


@dataclass(frozen=True)
class Result:
    """What a job found, its files relative to the folder, and the truth, JSON-able."""

    title: str
    rows: tuple[Row, ...]
    files: tuple[str, ...]
    truth: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Report:
    """All results of a demo.

    Attributes
    ----------
    folder
        Where the files lie.
    results
        One a file that was measured.
    text
        The table.
    """

    folder: Path
    results: tuple[Result, ...]
    text: str = field(repr=False)


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder with its subfolders, made where they are missing.

    Raises
    ------
    DataError
        If it holds something that is no earlier demo.
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise DataError("is not a folder", path=place, hint="Give another --folder.")
    if place.is_dir() and any(place.iterdir()) and not (place / _MARK).is_file():
        hint = "Give another --folder, or empty this one."
        raise DataError("holds something that is no earlier demo", path=place, hint=hint)
    for name in ("raw", "minflux", "mims"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / _MARK).write_text(_ABOUT, encoding="utf-8")
    return place


def write_report(place: Path, results: Sequence[Result]) -> Report:
    """Write truth and summary into the folder and return the report."""
    text = "\n".join(_lines(place, results))
    truth = {result.title: result.truth for result in results}
    summary = {
        result.title: {
            "rows": [asdict(row) for row in result.rows],
            "files": list(result.files),
        }
        for result in results
    }
    for name, content in (("truth.json", truth), ("summary.json", summary)):
        (place / name).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    (place / "summary.txt").write_text(f"{text}\n", encoding="utf-8")
    return Report(place, tuple(results), text)


def _lines(place: Path, results: Sequence[Result]) -> Iterator[str]:
    yield f"{'':<46}{'found':>14}{'truth':>14}"
    for result in results:
        yield result.title
        for row in result.rows:
            truth = "" if row.truth is None else _value(row.truth, row)
            yield f"  {row.what:<44}{_value(row.found, row):>14}{truth:>14}".rstrip()
    yield ""
    yield f"files in {place}{os.sep}"
    for result in results:
        yield from (f"  {name}" for name in result.files)
    yield "  truth.json  summary.json  summary.txt  README.txt"


def _value(value: float, row: Row) -> str:
    number = f"{value:,.{row.digits}f}".replace(",", " ")
    return f"{number} {row.unit}".rstrip()
