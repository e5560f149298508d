"""What a condition on localizations is, and how conditions are made of each other.

A condition is a small frozen description; what it lets pass is found lazily when it is applied to
a Dataset.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.minflux.rows import selected_rows

__all__ = ["AllOf", "AnyOf", "Condition", "Not", "check_bounds", "within"]

CLOSED = ("both", "left", "right", "neither")


class Condition(ABC):
    """What a localization must fulfil; combine conditions by ``&``, ``|`` and ``~``."""

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[Condition]]] = {}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        Condition.kinds[cls.kind] = cls

    @abstractmethod
    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass, shape (localization,), bool, lazy.

        Chunks are those of the Dataset. Earlier masks only matter to conditions on traces, which
        see the localizations that passed them.
        """

    def __and__(self, other: Condition) -> AllOf:
        return AllOf((self, other))

    def __or__(self, other: Condition) -> AnyOf:
        return AnyOf((self, other))

    def __invert__(self) -> Not:
        return Not(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the condition as JSON-able values, its kind among them."""
        found = {part.name: _plain(getattr(self, part.name)) for part in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **found}


def _plain(value: Any) -> Any:
    if isinstance(value, Condition):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class AllOf(Condition):
    """All of some conditions."""

    kind = "all"
    parts: tuple[Condition, ...]

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        found = da.ones_like(selected_rows(ds), dtype=bool)
        for part in self.parts:
            found = found & part.rows(ds)
        return found


@dataclass(frozen=True)
class AnyOf(Condition):
    """At least one of some conditions."""

    kind = "any"
    parts: tuple[Condition, ...]

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        found = da.zeros_like(selected_rows(ds), dtype=bool)
        for part in self.parts:
            found = found | part.rows(ds)
        return found


@dataclass(frozen=True)
class Not(Condition):
    """The contrary of a condition; what is NaN there passes here."""

    kind = "not"
    part: Condition

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        return ~self.part.rows(ds)


def within(
    values: da.Array, low: float | None, high: float | None, closed: str = "both"
) -> da.Array:
    """Return which values lie between bounds; NaN never does."""
    passes = da.ones_like(values, dtype=bool)
    if low is not None:
        passes = values >= low if closed in ("both", "left") else values > low
    if high is not None:
        passes = passes & (values <= high if closed in ("both", "right") else values < high)
    if low is None and high is None:
        passes = ~da.isnan(values)
    return passes


def check_bounds(name: str, low: float | None, high: float | None, closed: str = "both") -> None:
    """Raise ValueError for bounds that nothing can fulfil or that are no numbers."""
    if closed not in CLOSED:
        raise ValueError(f"closed must be one of {CLOSED}, not {closed!r}")
    if any(bound is not None and np.isnan(bound) for bound in (low, high)):
        raise ValueError(f"bounds of {name!r} must be numbers or None, not NaN")
    if low is not None and high is not None and low > high:
        raise ValueError(f"bounds of {name!r}: the low one, {low}, is above the high one, {high}")
