"""What the first lines of a text table say: separator, names, units, and where columns go."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field

from mfxarray.errors import DataError
from mfxarray.formats.flat_columns import AXIS, FIELDS, LENGTHS, TIMES
from mfxarray.formats.sources import FileSource

__all__ = ["TextColumn", "TextLayout", "read_layout"]

HEAD_BYTES = 256 * 1024
_SAMPLE_LINES = 200
_COLUMN_CAP = 1_000
# a metre has no place under a microscope: larger numbers are not metres
_PLAUSIBLE_METRES = 1e-2
_EMPTY = {"", "nan", "NaN", "NA", "null"}
_TRUTH = {"True", "False", "true", "false"}
_ALIASES = {
    **dict.fromkeys(("trace id", "trace_id", "traceid"), "tid"),
    **dict.fromkeys(("t", "time"), "tim"),
}
_UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\[\]()]*?)\s*[\])]|(.*?)_([a-zµμ]{1,3})")
_SIGNATURE = {"tid", "tim", "x", "y", "z", "efo", "cfr", "eco"}
_HINT = (
    'Give the unit of x, y and z, such as units="nm"; numbers like these would be {guess}, '
    "but that is a guess."
)
_Z_WARNING = (
    "pyMINFLUX multiplies z by the scaling factor of its session on export; the factor is not in "
    "the file, so z_scaling=1.0 may be wrong"
)


@dataclass(frozen=True)
class TextColumn:
    """One column that is read.

    Attributes
    ----------
    number
        Place in a line, from 0.
    name
        Name in the data model, or its own.
    per_unit
        What values are divided by, to be metres or seconds.
    truth
        Whether it holds "True" and "False".
    """

    number: int
    name: str
    per_unit: float = 1.0
    truth: bool = False


@dataclass(frozen=True)
class TextLayout:
    """How to read a text table.

    Attributes
    ----------
    kind
        "pyMINFLUX csv", "headerless" or "table".
    separator
        Letter between the columns.
    offset
        Byte of the first row.
    first_line
        Number of that line, from 1.
    width
        Number of columns of a line.
    columns
        Columns that are read.
    warnings
        What a user should hear.
    """

    kind: str
    separator: str
    offset: int
    first_line: int
    width: int
    columns: tuple[TextColumn, ...]
    warnings: tuple[str, ...] = field(default=(), compare=False)


def read_layout(source: FileSource, units: str | None) -> TextLayout:
    """Return how to read a text table; reads at most 256 kB.

    Raises
    ------
    DataError
        If it is no table of localizations, or its unit of length is not known.
    """
    lines, offset, number = _lines(source)
    if not lines:
        raise _bad(source, "holds no line of a table", number)
    separator = next((mark for mark in "\t,;" if mark in lines[0]), ",")
    rows = [_split(source, line, separator, number + i) for i, line in enumerate(lines)]
    if not 2 <= len(rows[0]) <= _COLUMN_CAP:
        raise _bad(source, f"has {len(rows[0])} columns, which is no table", number)
    if all(_is_number(cell) for cell in rows[0]):
        return _headerless(source, rows, separator, offset, number, units)
    length = len(lines[0].encode("latin-1")) + 1
    names = [_decode(name).strip() for name in rows[0]]
    samples = [row for row in rows[1:] if len(row) == len(names)]
    kind, columns, warnings = _columns(source, names, samples, number, units)
    return TextLayout(
        kind, separator, offset + length, number + 1, len(names), columns, tuple(warnings)
    )


def _lines(source: FileSource) -> tuple[list[str], int, int]:
    """Return the first lines after comments, the byte of the first, and its number from 1."""
    head = source.read(0, min(HEAD_BYTES, source.size))
    if b"\0" in head:
        raise _bad(source, "holds zero bytes: it is no text, or text in UTF-16", 1)
    offset, number = 3 if head.startswith(b"\xef\xbb\xbf") else 0, 1
    while offset < len(head):
        end = head.find(b"\n", offset)
        line = head[offset : end if end >= 0 else len(head)]
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
        if end < 0:
            return [], offset, number
        offset, number = end + 1, number + 1
    whole = head[offset:]
    end = whole.rfind(b"\n") + 1
    # a last line without an end is cut, and may be of another kind than it was
    whole = whole[:end] if end or len(head) < source.size else whole
    # letters of one byte: lengths stay what they are in the file
    return whole.decode("latin-1").split("\n")[:_SAMPLE_LINES], offset, number


def _decode(name: str) -> str:
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return name


def _split(source: FileSource, line: str, separator: str, number: int) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=separator), [])
    except csv.Error as error:
        raise _bad(source, f"is no table: {error}", number) from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _headerless(
    source: FileSource,
    rows: list[list[str]],
    separator: str,
    offset: int,
    number: int,
    units: str | None,
) -> TextLayout:
    """Recognise the one table without names: tid, t (s), x, y, z (m), with tabs."""
    whole = [[float(cell) for cell in row] for row in rows if all(map(_is_number, row))]
    whole = [row for row in whole if len(row) == 5]
    if separator != "\t" or len(rows[0]) != 5 or not all(row[0].is_integer() for row in whole):
        hint = 'Write names and units into its first line: "tid,tim,x (nm),y (nm),z (nm)".'
        message = "has no names in its first line and is no table that is known without them"
        raise _bad(source, message, number, hint)
    largest = max((abs(value) for row in whole for value in row[2:]), default=0.0)
    if units is None and not largest < _PLAUSIBLE_METRES:
        message = f"has no names, and positions up to {largest:g} are no metres"
        raise _bad(source, message, number, _HINT.format(guess=_guess(largest)))
    length = LENGTHS[units or "m"]
    factors = (1.0, 1.0, length, length, length)
    names = ("tid", "tim", "x", "y", "z")
    columns = tuple(
        TextColumn(place, name, factor)
        for place, (name, factor) in enumerate(zip(names, factors, strict=True))
    )
    return TextLayout("headerless", separator, offset, number, 5, columns)


def _columns(
    source: FileSource, names: list[str], samples: list[list[str]], line: int, units: str | None
) -> tuple[str, tuple[TextColumn, ...], list[str]]:
    parsed = [_name_and_unit(name) for name in names]
    known = {name for name, _ in parsed}
    exported = known >= _SIGNATURE and all(unit is None for _, unit in parsed)
    found, dropped = [], []
    for place, (name, unit) in enumerate(parsed):
        cells = [row[place].strip() for row in samples]
        if not name or name.startswith("Unnamed"):
            continue  # the row numbers that pandas writes
        truth = bool(cells) and all(cell in _TRUTH for cell in cells)
        numbers = all(_is_number(cell) or cell in _EMPTY for cell in cells)
        if name not in FIELDS and not truth and not numbers:
            dropped.append(name)
            continue
        per_unit = 1.0
        if name in AXIS:
            given = units if units or not exported else "nm"
            per_unit = _length(source, names[place], unit, given, cells, line)
        elif name == "tim":
            per_unit = _time(source, names[place], unit, line)
        found.append(TextColumn(place, name, per_unit, truth))
    _check(source, found, line)
    warnings = [_Z_WARNING] if exported else []
    if dropped:
        warnings.append(f"columns that hold text are left out: {', '.join(dropped)[:200]}")
    return "pyMINFLUX csv" if exported else "table", tuple(found), warnings


def _name_and_unit(text: str) -> tuple[str, str | None]:
    """Return the name in the data model and the unit, "x" and "nm" for "X [nm]" or "x_nm"."""
    lower = text.lower()
    whole = _ALIASES.get(lower, lower)
    match = _UNIT.fullmatch(text)
    if match is not None:
        name, unit = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
        name = _ALIASES.get(name.lower(), name.lower())
        if name in AXIS or name == "tim":
            return name, unit
    return (whole if whole in FIELDS else text), None


def _length(
    source: FileSource, name: str, unit: str | None, given: str | None, cells: list[str], line: int
) -> float:
    if unit is not None and unit not in LENGTHS:
        hint = f"Known units: {', '.join(LENGTHS)}."
        raise _bad(source, f"column {name!r} has the unknown unit {unit!r}", line, hint)
    if unit is None and given is None:
        sizes = [abs(float(cell)) for cell in cells if _is_number(cell)]
        hint = _HINT.format(guess=_guess(max(sizes, default=0.0)))
        raise _bad(source, f"does not say in which unit column {name!r} is", line, hint)
    if unit is not None and given is not None and LENGTHS[unit] != LENGTHS[given]:
        message = f"column {name!r} is in {unit}, but units={given!r} was given"
        raise _bad(source, message, line, "Leave the argument units out.")
    return LENGTHS[unit or given or "m"]


def _time(source: FileSource, name: str, unit: str | None, line: int) -> float:
    if unit is not None and unit not in TIMES:
        hint = f"Known units: {', '.join(TIMES)}."
        raise _bad(source, f"column {name!r} has the unknown unit {unit!r}", line, hint)
    return TIMES[unit or "s"]


def _guess(largest: float) -> str:
    return "m" if largest < _PLAUSIBLE_METRES else "µm" if largest < 200 else "nm"


def _check(source: FileSource, found: list[TextColumn], line: int) -> None:
    names = [column.name for column in found]
    if not {"x", "y"} <= set(names):
        have = ", ".join(names)[:100] or "none"
        raise _bad(source, f"has no columns x and y, only {have}", line)
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise _bad(source, f"has more than one column {repeated[0]!r}", line)


def _bad(source: FileSource, message: str, line: int, hint: str | None = None) -> DataError:
    hint = hint or "Give a table with a line of names: tid, tim, x (nm), y (nm), z (nm)."
    return DataError(message, path=source.path, place=f"line {line}", hint=hint)
