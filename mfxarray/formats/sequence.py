"""The sequence of a MINFLUX measurement: which iterations there are and which are repeated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.sequence_steps import Step, flag, known, step_dict, step_of, text, whole
from mfxarray.formats.sources import FileSource

__all__ = [
    "Sequence",
    "Step",
    "dump_sequences",
    "load_sequences",
    "read_sequence",
    "sequences_of",
]

# shipped files have up to 24 kB
_BYTES_CAP = 4 * 2**20
_PATTERN_M = 360e-9


@dataclass(frozen=True)
class Sequence:
    """The iterations of a localization, as the instrument was told to make them.

    Attributes
    ----------
    id
        Name, such as "Imaging_3D"; data of one name may have been taken with other limits.
    iterations
        The iterations in their order.
    headstart
        Where later localizations of a trace begin: a negative index from the end.
    localization_limit
        ``locLimit``: most localizations of a trace, negative for no limit.
    stickiness
        Retries allowed before a trace is given up.
    background_sensing
        ``bgcSense``; without it ``fbg`` means nothing.
    """

    id: str | None
    iterations: tuple[Step, ...]
    headstart: int | None = None
    localization_limit: int | None = None
    stickiness: int | None = None
    background_sensing: bool | None = None

    @property
    def relocalised(self) -> tuple[int, ...] | None:
        """Return the iterations that later localizations of a trace repeat.

        None where there is no ``headstart``. Only a negative one is an index; with 0, and with the
        positive values of custom sequences, the whole sequence is taken to be repeated.
        """
        if self.headstart is None:
            return None
        everything = tuple(range(len(self.iterations)))
        return everything[self.headstart :] if self.headstart < 0 else everything

    @property
    def lateral(self) -> tuple[int, ...]:
        """Return the iterations that measure x and y."""
        return self._where(lambda step: step.direction == "lateral")

    @property
    def axial(self) -> tuple[int, ...]:
        """Return the iterations that measure z."""
        return self._where(lambda step: step.direction == "axial")

    @property
    def cfr_limited(self) -> tuple[int, ...]:
        """Return the iterations that check cfr; files hold cfr of other iterations as well."""
        return self._where(lambda step: step.cfr_limit is not None and step.cfr_limit >= 0)

    @property
    def photon_limits(self) -> tuple[float | None, ...]:
        """Return the photon limit of every iteration."""
        return tuple(step.photon_limit for step in self.iterations)

    @property
    def photons_first_min(self) -> float | None:
        """Return the fewest photons of the first localization of a trace, None if not known."""
        return self._photons(tuple(range(len(self.iterations))))

    @property
    def photons_next_min(self) -> float | None:
        """Return the fewest photons of every later localization, None if not known."""
        return None if self.relocalised is None else self._photons(self.relocalised)

    @property
    def pattern_size_m(self) -> tuple[tuple[float, float] | None, ...]:
        """Return the lateral and axial pattern size of every iteration, metres."""
        factors = (step.pattern_factor for step in self.iterations)
        return tuple(
            None if factor is None else (factor[0] * _PATTERN_M, factor[1] * _PATTERN_M)
            for factor in factors
        )

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Sequence:
        """Return the sequence of an object as the vendor writes it, or as `to_dict` does.

        Raises
        ------
        DataError
            If it has no list ``Itr`` of objects. All other keys are optional.
        """
        steps = found.get("Itr")
        if not _is_sequence(found) or not isinstance(steps, list):
            raise DataError(
                "is no sequence: it needs a list 'Itr' of objects, one for each iteration",
                hint="Give the object of one sequence, as in threads[].sequences[].",
            )
        return cls(
            id=text(found.get("id")),
            iterations=tuple(step_of(step) for step in steps),
            headstart=whole(found.get("headstart")),
            localization_limit=whole(found.get("locLimit")),
            stickiness=whole(found.get("stickiness")),
            background_sensing=flag(found.get("bgcSense")),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able object with the vendor's keys, for `from_dict`."""
        found = {
            "id": self.id,
            "headstart": self.headstart,
            "locLimit": self.localization_limit,
            "stickiness": self.stickiness,
            "bgcSense": self.background_sensing,
        }
        return {**known(found), "Itr": [step_dict(step) for step in self.iterations]}

    def _where(self, wanted: Callable[[Step], bool]) -> tuple[int, ...]:
        return tuple(number for number, step in enumerate(self.iterations) if wanted(step))

    def _photons(self, numbers: tuple[int, ...]) -> float | None:
        limits = [self.iterations[number].photon_limit for number in numbers]
        known = [limit for limit in limits if limit is not None]
        return sum(known) if len(known) == len(limits) else None


def read_sequence(path: str | os.PathLike[str]) -> Sequence:
    """Return the sequence of a ``.json`` file as the vendor ships them.

    Raises
    ------
    DataError
        If there is no such file, it is no JSON, too large, or holds no sequence.
    """
    source = FileSource.open(path)
    if source.size > _BYTES_CAP:
        message = f"{source.size} bytes are too many for a sequence"
        raise DataError(message, path=source.path, hint="Give the JSON file of one sequence.")
    found = parse_json(source.read(0, source.size), path=source.path, place="sequence")
    try:
        return Sequence.from_dict(found if isinstance(found, dict) else {})
    except DataError as error:
        raise DataError(error.reason, path=source.path, hint=error.hint) from error


def sequences_of(measurement: Mapping[str, Any]) -> tuple[Sequence, ...]:
    """Return the sequences in the attributes of a measurement, thread by thread; () for none.

    Parameters
    ----------
    measurement
        The attribute ``measurement`` of newer files, or all attributes with it inside.

    Notes
    -----
    Data converted from older versions keep their sequences in ``_legacy``, which is looked at
    where there are no threads. Attributes are optional: entries of another shape are left out.
    """
    inner = _parsed(measurement.get("measurement"))
    places = [measurement, *([inner] if isinstance(inner, dict) else [])]
    current = list(chain.from_iterable(map(_of_threads, places)))
    found = current or list(chain.from_iterable(map(_of_legacy, places)))
    return tuple(Sequence.from_dict(entry) for entry in found)


def dump_sequences(sequences: Iterable[Sequence]) -> str:
    """Return sequences as one JSON text, the form in which a Dataset's attributes keep them."""
    return json.dumps([sequence.to_dict() for sequence in sequences])


def load_sequences(dumped: str) -> tuple[Sequence, ...]:
    """Return the sequences of a text that `dump_sequences` made.

    Raises
    ------
    DataError
        If the text is no list of sequences.
    """
    found = parse_json(dumped, path=None, place="sequences")
    if not isinstance(found, list):
        raise DataError("is no list of sequences", place="sequences")
    return tuple(Sequence.from_dict(entry if isinstance(entry, dict) else {}) for entry in found)


def _of_threads(measurement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for thread in _entries(measurement.get("threads")):
        if isinstance(thread, dict):
            yield from filter(_is_sequence, _entries(thread.get("sequences")))


def _of_legacy(measurement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    legacy = _parsed(measurement.get("_legacy"))
    if isinstance(legacy, dict):
        yield from filter(_is_sequence, _entries(legacy.get("_seqs")))


def _entries(value: Any) -> list[Any]:
    """Return the parsed entries of a list, of an object keyed by names, or one object itself."""
    found = _parsed(value)
    if isinstance(found, dict):
        found = [found] if "Itr" in found else list(found.values())
    return [_parsed(entry) for entry in found] if isinstance(found, list) else []


def _parsed(value: Any) -> Any:
    """Return the value of text that is JSON: the vendor nests it in strings in places."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    if len(value) > _BYTES_CAP:
        return None
    try:
        return parse_json(value, path=None, place="attributes")
    except DataError:
        return None


def _is_sequence(entry: Any) -> bool:
    steps = entry.get("Itr") if isinstance(entry, Mapping) else None
    return isinstance(steps, list) and bool(steps) and all(isinstance(s, dict) for s in steps)
