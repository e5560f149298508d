"""Fields of MINFLUX records in JSON: the model, and the type that each field has in the table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path
from mfxarray.schema import AXES

__all__ = ["FLAT", "NESTED", "REDUCED", "Field", "Fields", "fields_of_records"]

NESTED, FLAT, REDUCED = "v1 nested", "v2 flat", "2021 reduced"
_POSITIONS = ("loc", "lnc")
_VALID = "vld"
_FLAT_MARKERS = ("fnl", "bot", "eot")
# field names end up in paths of caches: plain words only
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_INT64 = np.iinfo(np.int64)

Type = tuple[np.dtype[Any], tuple[int, ...]]
Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Field:
    """One field of the table.

    Attributes
    ----------
    path
        Names that lead to it in the dtype.
    dtype
        Type of one value.
    shape
        Sizes after the rows, the iterations included.
    source
        Names that lead to it in the file, None where it is always True.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    source: Path | None


@dataclass(frozen=True)
class Fields:
    """The model of a file, its record and the fields of it.

    Attributes
    ----------
    model
        One of `NESTED`, `FLAT` and `REDUCED`.
    dtype
        Structured dtype of a record.
    fields
        All fields in the order of the dtype.
    dropped
        Names in the file of what is not carried: texts, objects, names that are no plain words.
    """

    model: str
    dtype: np.dtype[Any]
    fields: tuple[Field, ...]
    dropped: tuple[Path, ...]


def fields_of_records(records: Records, source: FileSource) -> Fields:
    """Return model and fields of the records that a file begins with.

    Raises
    ------
    DataError
        If they are no MINFLUX records.
    """
    reader = _Reader(source)
    first = records[0]
    itr = first.get(ITERATION)
    if ITERATION not in first:
        marks = [name for name in _FLAT_MARKERS if name in first]
        if marks:
            raise reader.error(f"the records have {', '.join(marks)}, but no field itr")
        return reader.reduced(records)
    if isinstance(itr, list) and itr and all(isinstance(inner, dict) for inner in itr):
        return reader.nested(records)
    if isinstance(itr, int | float) and not isinstance(itr, bool):
        return reader.flat(records)
    raise reader.error("the field itr is neither a number nor a list of iterations")


class _Reader:
    """Finds the types of fields, and keeps what it drops on the way."""

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self.dropped: list[Path] = []

    def error(self, message: str) -> DataError:
        """Return the error to raise; its hint says what files are read."""
        hint = "Give MINFLUX records exported as JSON."
        return DataError(message, path=self.source.path, place="record 0", hint=hint)

    def flat(self, records: Records) -> Fields:
        """Return the fields of records that are one iteration each."""
        types = self._types(records, _known(flat_record_dtype()), ())
        self._require(types, (ITERATION, "loc", "tid", "tim"))
        fields = tuple(Field((name,), *found, (name,)) for name, found in types.items())
        return Fields(FLAT, _flat_dtype(types), fields, tuple(self.dropped))

    def nested(self, records: Records) -> Fields:
        """Return the fields of records with a list of iterations, all alike in all records."""
        count = len(records[0][ITERATION])
        vendor = record_dtype(1)
        self._check_alike(records[0][ITERATION])
        alike = [record for record in records if isinstance(record.get(ITERATION), list)]
        steps = [step for record in alike for step in record[ITERATION] if isinstance(step, dict)]
        inner = self._types(steps, _known(vendor[ITERATION].base), (ITERATION,))
        outer = {
            name: found
            for name, found in self._types(records, _known(vendor), ()).items()
            if name != ITERATION
        }
        self._require(inner, ("loc",))
        self._require(outer, ("tid", "tim"))
        fields: list[Field] = []
        entries: list[Any] = []
        for name in records[0]:
            if name == ITERATION:
                entries.append((name, _flat_dtype(inner), (count,)))
                fields += _iterated(inner, count, (ITERATION,))
            elif name in outer:
                entries.append((name, *outer[name]))
                fields.append(Field((name,), *outer[name], (name,)))
        return Fields(NESTED, np.dtype(entries), tuple(fields), tuple(self.dropped))

    def reduced(self, records: Records) -> Fields:
        """Return the fields of records of the last iteration only, nested with one iteration."""
        vendor = record_dtype(1)
        known_inner, known_outer = _known(vendor[ITERATION].base), _known(vendor)
        types = self._types(records, {**known_outer, **known_inner}, ())
        self._require(types, ("loc", "tid", "tim"))
        inner = {name: found for name, found in types.items() if name in known_inner}
        inner = {"loc": inner.pop("loc"), **inner}
        outer = {name: types[name] for name in ("tim", "tid")}
        outer[_VALID] = known_outer[_VALID]
        outer |= {name: found for name, found in types.items() if name not in inner}
        fields = list(_iterated(inner, 1, ()))
        for name, found in outer.items():
            fields.append(Field((name,), *found, (name,) if name in types else None))
        entries = [(ITERATION, _flat_dtype(inner), (1,))]
        dtype = np.dtype([*entries, *((name, *found) for name, found in outer.items())])
        return Fields(REDUCED, dtype, tuple(fields), tuple(self.dropped))

    def _types(self, records: Records, known: dict[str, Type], above: Path) -> dict[str, Type]:
        """Return the type of each field of the first record that is carried."""
        found = {}
        for name, value in records[0].items():
            if name in known:
                found[name] = self._known_type(name, value, known[name])
                continue
            if above == () and name == ITERATION:
                continue
            values = [record[name] for record in records if name in record]
            natural = _natural_type(values) if _NAME.fullmatch(name) else None
            if natural is None:
                self.dropped.append((*above, name))
            else:
                found[name] = natural
        return found

    def _known_type(self, name: str, value: Any, known: Type) -> Type:
        dtype, shape = known
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, list | dict | str):
                raise self.error(f"the field {name} holds no plain numbers")
        if name == "dcr" and isinstance(value, list) and value:
            return dtype, (len(value),)
        if name == "dcr" and not isinstance(value, list):
            return dtype, (1,) if shape else ()
        sizes = (len(value),) if isinstance(value, list) else ()
        flat_position = name in _POSITIONS and sizes == (len(AXES) - 1,)
        if sizes != shape and not flat_position:
            message = f"the field {name} holds {_told(sizes)}, expected {_told(shape)}"
            raise self.error(message)
        return known

    def _check_alike(self, steps: Records) -> None:
        form = {name: _form(value) for name, value in steps[0].items()}
        for number, step in enumerate(steps):
            if {name: _form(value) for name, value in step.items()} != form:
                raise self.error(f"iteration {number} has other fields than iteration 0")

    def _require(self, types: dict[str, Type], names: tuple[str, ...]) -> None:
        for name in names:
            if name not in types:
                raise self.error(f"the records have no field {name}, only {', '.join(types)[:80]}")


def _form(value: Any) -> Any:
    """Return whether a value is a list, of which length and what, an object, or a plain value."""
    if isinstance(value, list):
        return [_form(inner) for inner in value]
    return dict if isinstance(value, dict) else None


def _iterated(types: dict[str, Type], count: int, above: Path) -> list[Field]:
    return [
        Field((ITERATION, name), dtype, (count, *shape), (*above, name))
        for name, (dtype, shape) in types.items()
    ]


def _flat_dtype(types: dict[str, Type]) -> np.dtype[Any]:
    return np.dtype([(name, *found) for name, found in types.items()])


def _known(dtype: np.dtype[Any]) -> dict[str, Type]:
    """Return the vendor's types; text holds more digits than half precision, which is widened."""
    found = {}
    for name in dtype.names or ():
        base, shape = dtype[name].subdtype or (dtype[name], ())
        if base.names is None:
            found[name] = (np.dtype("<f4") if base == np.dtype("<f2") else base, shape)
    return found


def _natural_type(values: list[Any]) -> Type | None:
    """Return the type that holds these values, None where they are no numbers or truth values."""
    if isinstance(values[0], list):
        length = len(values[0])
        if not length or not all(isinstance(v, list) and len(v) == length for v in values):
            return None
        found = _natural_type([inner for value in values for inner in value])
        return None if found is None or found[1] else (found[0], (length,))
    if all(isinstance(value, bool) for value in values):
        return np.dtype("?"), ()
    if not all(_is_number(value) for value in values):
        return None
    if all(isinstance(value, int) and _INT64.min <= value <= _INT64.max for value in values):
        return np.dtype("<i8"), ()
    return np.dtype("<f8"), ()


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _told(sizes: tuple[int, ...]) -> str:
    return f"a list of {sizes[0]}" if sizes else "one number"
