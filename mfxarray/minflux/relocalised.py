"""Which iterations the later localizations of a trace repeat: as told, or by the sequence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.formats.sequence import Sequence, load_sequences, read_sequence, sequences_of

__all__ = ["Choice", "SequenceLike", "choose_iterations", "iteration_numbers"]

SequenceLike = Sequence | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class Choice:
    """Iterations to sum over.

    Attributes
    ----------
    numbers
        Their numbers, None where only the data can tell.
    decided_by
        What told them, for the attributes of the result.
    """

    numbers: tuple[int, ...] | None
    decided_by: str


def iteration_numbers(ds: xr.Dataset) -> tuple[int, ...]:
    """Return the iteration numbers along the dimension "iteration"."""
    if "iteration" in ds.coords:
        return tuple(int(number) for number in ds["iteration"].values)
    return tuple(range(ds.sizes["iteration"]))


def choose_iterations(
    ds: xr.Dataset, sequence: SequenceLike | None, iterations: Iterable[int] | None
) -> Choice:
    """Return the repeated iterations: those given, those of a sequence, or none for "infer".

    Parameters
    ----------
    ds
        Localizations; the sequences in their attributes are used where nothing is given.
    sequence
        A sequence, the object of one, or the path of its JSON file.
    iterations
        Numbers of the iterations themselves.

    Raises
    ------
    ValueError
        If both are given, iterations are not in the data, or the sequence is not that of the data.
    DataError
        If the sequence cannot be read.
    """
    if iterations is not None:
        if sequence is not None:
            raise ValueError("give either sequence= or iterations=, not both")
        return Choice(_checked(ds, iterations), "given")
    found = _stored(ds.attrs) if sequence is None else _read(sequence)
    if found is None or found.relocalised is None:
        return Choice(None, "inferred from the data")
    named = "sequence without a name" if found.id is None else f"sequence {found.id}"
    return Choice(_matched(iteration_numbers(ds), found, named), named)


def _checked(ds: xr.Dataset, iterations: Iterable[int]) -> tuple[int, ...]:
    present, wanted = iteration_numbers(ds), tuple(iterations)
    whole = all(isinstance(number, int | np.integer) for number in wanted)
    if not wanted or not whole or not set(wanted) <= set(present):
        raise ValueError(f"iterations must be some of {list(present)}, not {list(wanted)}")
    return tuple(sorted({int(number) for number in wanted}))


def _read(sequence: SequenceLike) -> Sequence:
    if isinstance(sequence, Sequence):
        return sequence
    if isinstance(sequence, str | os.PathLike):
        return read_sequence(sequence)
    return Sequence.from_dict(sequence)


def _stored(attrs: Mapping[Any, Any]) -> Sequence | None:
    """Return the sequence in the attributes, None where there is none.

    Raises
    ------
    ValueError
        If there are several that repeat different iterations.
    """
    found: tuple[Sequence, ...] = ()
    if "sequences" in attrs:
        found = load_sequences(attrs["sequences"])
    elif "measurement" in attrs:
        found = sequences_of({"measurement": attrs["measurement"]})
    if len({(len(entry.iterations), entry.relocalised) for entry in found}) > 1:
        names = ", ".join(str(entry.id) for entry in found)
        raise ValueError(
            f"the data were taken with {len(found)} sequences ({names}) that repeat different "
            f"iterations; give one with sequence=, or iterations=(...)"
        )
    return found[0] if found else None


def _matched(present: tuple[int, ...], sequence: Sequence, named: str) -> tuple[int, ...]:
    """Return the repeated iterations of a sequence if the data hold all of them by their number."""
    count, wanted = len(sequence.iterations), sequence.relocalised or ()
    if max(present, default=-1) != count - 1:
        raise ValueError(
            f"{named} has {count} iterations, the data have numbers {list(present)}; "
            f"{_remedy(present, wanted, count)}"
        )
    missing = sorted(set(wanted) - set(present))
    if missing:
        raise ValueError(
            f"{named} repeats iterations {list(wanted)}, but {missing} were left out of the data; "
            f"ask for which='last', or for iterations=(...) that are there"
        )
    return wanted


def _remedy(present: tuple[int, ...], wanted: tuple[int, ...], count: int) -> str:
    if len(present) != count + 1:
        return "give the sequence of these data, or iterations=(...)"
    shifted = tuple(present[number + 1] for number in wanted)
    return (
        f"if the first one is the empty entry of the beamline monitor, give iterations={shifted}, "
        f"else the sequence of these data"
    )
