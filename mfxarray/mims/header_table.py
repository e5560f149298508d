"""A header as a table in a web page, closed record by record; every text of a file is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["header_table"]

_HEADINGS = ("name", "value", "unit", "meaning", "original name")
_MOST_TEXT = 300
_MOST_ROWS = 200
_DEEPEST = 12


def header_table(header: Any) -> str:
    """Return HTML of a `MimsHeader`: a table of its fields, and a closed block for every record."""
    return f'<div class="mfxarray-header">{_record(header, 0)}</div>'


def _record(record: Any, depth: int) -> str:
    plain, blocks = [], []
    for name, value in record.items():
        if isinstance(value, Mapping):
            blocks.append(_block(record, name, value, "", depth))
        elif _is_table(value):
            rows = (
                _block(record, f"{name} {i}", row, _label(row), depth)
                for i, row in enumerate(value[:_MOST_ROWS])
            )
            more = len(value) - _MOST_ROWS
            blocks += [*rows, f"<p>and {more} more</p>" if more > 0 else ""]
        else:
            plain.append(_line(record, name, value))
    return _table(plain) + "".join(blocks)


def _is_table(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _block(record: Any, title: str, value: Any, label: str, depth: int) -> str:
    known = record.about(title.split(" ", 1)[0])
    meaning = "" if known is None else known.meaning
    summary = " · ".join(part for part in (title, label, meaning) if part)
    # records nest five deep; an attribute made by hand may nest deeper
    inside = _record(value, depth + 1) if depth < _DEEPEST else ""
    return (
        f'<details style="margin-left:{0 if depth == 0 else 1}em">'
        f"<summary>{_safe(summary)}</summary>{inside}</details>"
    )


def _label(row: Any) -> str:
    species = row.get("species")
    found = (species if isinstance(species, Mapping) else row).get("label", row.get("name", ""))
    return str(found)


def _line(record: Any, name: str, value: Any) -> str:
    known = record.about(name)
    unit = "" if known is None or known.unit == "1" else known.unit
    meaning = "" if known is None else known.meaning
    original = "" if known is None else known.original
    text = ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
    cells = "".join(f"<td>{_safe(part)}</td>" for part in (name, text, unit, meaning, original))
    return f"<tr>{cells}</tr>"


def _table(lines: list[str]) -> str:
    if not lines:
        return ""
    heads = "".join(f"<th>{name}</th>" for name in _HEADINGS)
    start = f'<table style="text-align:left"><thead><tr>{heads}</tr></thead>'
    return f"{start}<tbody>{''.join(lines)}</tbody></table>"


def _safe(text: str) -> str:
    shown = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
    return escape(shown, quote=True)
