"""Ion species: what the label of a detector, its composition record or its mass says.

A label is words such as "12C2" for two atoms of carbon 12, separated by blanks, and "+" or "-" at
the end for the charge. Other programs leave the blanks out; such a label is understood where only
one reading of it names nuclides that exist.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from mfxarray.formats.nuclides import ELECTRON_MASS, ELEMENTS, natural, nuclide, nuclides

__all__ = ["Isotope", "Species", "guess_species", "parse_species", "species_of_elements"]

_WORD = re.compile(r"([0-9]{0,3})([A-Z][a-z]?)([0-9]{0,2})")
_GLUED = re.compile(r"([A-Z][a-z]?)|([0-9]+)")
_SIGNS = re.compile(r"^(.*?)\s*([+-]*)$")
_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_LONGEST = 63  # characters of a stored label
_MOST_ATOMS = 99

# how near a mass must be to that of a species to name it, and how far all others must be, in u
_NEAR, _APART = 0.001, 0.003
# what a pair of atoms may hold besides any natural nuclide
_PARTNERS = (("H", 1), ("C", 12), ("C", 13), ("N", 14), ("N", 15), ("O", 16), ("O", 18))
_LAST = ("N", "O", "H")  # partners are written last, in this order


@dataclass(frozen=True)
class Isotope:
    """Some atoms of one nuclide.

    Attributes
    ----------
    symbol
        Of the element.
    number
        Mass number, 0 where the label does not tell.
    count
        How many atoms.
    """

    symbol: str
    number: int
    count: int


@dataclass(frozen=True)
class Species:
    """What an ion consists of.

    Attributes
    ----------
    isotopes
        The parts in the order of the label.
    charge
        In elementary charges, 0 where it is not known.
    """

    isotopes: tuple[Isotope, ...]
    charge: int = 0

    @property
    def mass(self) -> float:
        """Mass of the neutral species in u; NaN where a nuclide is not known."""
        total = 0.0
        for part in self.isotopes:
            known = nuclide(part.symbol, part.number)
            total += float("nan") if known is None else part.count * known.mass
        return total

    @property
    def ion_mass(self) -> float:
        """Mass in u without the electrons that are missing, or with those too many."""
        return self.mass - self.charge * ELECTRON_MASS

    @property
    def elements(self) -> dict[str, int]:
        """Atoms of every element."""
        found: Counter[str] = Counter()
        for part in self.isotopes:
            found[part.symbol] += part.count
        return dict(found)

    @property
    def label(self) -> str:
        """Plain text, such as "12C2 1H"."""
        return " ".join(
            f"{part.number or ''}{part.symbol}{part.count if part.count > 1 else ''}"
            for part in self.isotopes
        )

    @property
    def text(self) -> str:
        """Unicode text, such as "¹²C¹⁴N⁻"."""
        return "".join(_parts_as_text(self)) + _charge(self.charge).translate(_RAISED)

    @property
    def latex(self) -> str:
        r"""Math text for TeX and Matplotlib, such as ``$\mathrm{^{12}C^{14}N^{-}}$``."""
        parts = "".join(
            (f"^{{{part.number}}}" if part.number else "")
            + part.symbol
            + (f"_{{{part.count}}}" if part.count > 1 else "")
            for part in self.isotopes
        )
        charge = f"^{{{_charge(self.charge)}}}" if self.charge else ""
        return rf"$\mathrm{{{parts}{charge}}}$"


def _parts_as_text(species: Species) -> Iterator[str]:
    for part in species.isotopes:
        number = str(part.number or "").translate(_RAISED)
        count = str(part.count if part.count > 1 else "").translate(_LOWERED)
        yield f"{number}{part.symbol}{count}"


def _charge(charge: int) -> str:
    sign = "+" if charge > 0 else "-"
    return "" if charge == 0 else sign if abs(charge) == 1 else f"{abs(charge)}{sign}"


def parse_species(label: str) -> Species | None:
    """Return what a label says, None where it is no chemical label.

    Parameters
    ----------
    label
        Such as "12C 14N", "12C2 1H", "16O-", "12C14N".

    Examples
    --------
    >>> parse_species("12C2 1H -").text
    '¹²C₂¹H⁻'
    """
    text = label.replace("\N{MINUS SIGN}", "-").strip()
    matched = _SIGNS.match(text) if len(text) <= _LONGEST else None
    if matched is None or len(set(matched[2])) > 1:
        return None
    charge = len(matched[2]) * (-1 if matched[2][:1] == "-" else 1)
    words = matched[1].split()
    parts = [_word(word) for word in words]
    if words and all(parts):
        return Species(tuple(part for part in parts if part), charge)
    readings = list(_glued(words[0])) if len(words) == 1 else []
    return Species(readings[0], charge) if len(readings) == 1 else None


def _word(word: str) -> Isotope | None:
    matched = _WORD.fullmatch(word)
    if matched is None or matched[2] not in ELEMENTS:
        return None
    number, count = int(matched[1] or 0), int(matched[3] or 1)
    if matched[1][:1] == "0" or matched[3][:1] == "0":
        return None
    return Isotope(matched[2], number, count)


def _glued(word: str) -> Iterator[tuple[Isotope, ...]]:
    """Yield the readings of a label without blanks that name nuclides of the table."""
    if not re.fullmatch(r"([0-9]+[A-Z][a-z]?)+[0-9]*", word):
        return
    pieces = _GLUED.findall(word)
    yield from _readings([symbol or digits for symbol, digits in pieces])


def _readings(pieces: Sequence[str]) -> Iterator[tuple[Isotope, ...]]:
    """Yield the readings of digits, element, digits, element, ... and perhaps a last count."""
    number, symbol, *rest = pieces
    if nuclide(symbol, int(number)) is None or number[0] == "0":
        return
    if len(rest) < 2:
        count = rest[0] if rest else "1"
        if count[0] != "0" and int(count) <= _MOST_ATOMS:
            yield (Isotope(symbol, int(number), int(count)),)
        return
    for cut in range(min(len(rest[0]), 3)):
        count, following = rest[0][:cut], rest[0][cut:]
        # a single atom is never counted, so "12C14N" has one reading
        if count[:1] == "0" or count == "1":
            continue
        for others in _readings([following, *rest[1:]]):
            yield (Isotope(symbol, int(number), int(count or 1)), *others)


def species_of_elements(table: Sequence[int], count: int) -> Species | None:
    """Return what the composition record of a label says, None where it makes no sense.

    Parameters
    ----------
    table
        Atomic number, number of the isotope (0 is the lightest natural one) and atoms, five times.
    count
        How many of the five are in use.
    """
    if not 1 <= count <= len(table) // 3:
        return None
    parts = []
    for i in range(count):
        atomic_number, index, atoms = table[3 * i : 3 * i + 3]
        isotopes = natural(atomic_number)
        if not 0 <= index < len(isotopes) or not 1 <= atoms <= _MOST_ATOMS:
            return None
        parts.append(Isotope(isotopes[index].symbol, isotopes[index].number, atoms))
    return Species(tuple(parts))


def guess_species(mass: float) -> Species | None:
    """Return the species of a mass, None where there is any doubt.

    Parameters
    ----------
    mass
        In u, as an instrument's table of calculated masses has it.

    Notes
    -----
    A single natural nuclide, or one with an atom of H, C, N or O, is named when it is nearer than
    0.001 u and everything else at least 0.003 u away. Measured peak centres, which may be off by
    0.1 u, are therefore hardly ever named: 12.00 is 12C, but 26.00 may be several things.
    """
    masses, candidates = _candidates()
    around = candidates[bisect_left(masses, mass - _APART) : bisect_right(masses, mass + _APART)]
    if len(around) == 1 and abs(around[0].mass - mass) <= _NEAR:
        return around[0]
    return None


@cache
def _candidates() -> tuple[tuple[float, ...], tuple[Species, ...]]:
    """Return the species that a mass may mean, sorted by mass."""
    found: dict[frozenset[Isotope], Species] = {}
    for one in nuclides().values():
        if not one.natural:
            continue
        alone = Isotope(one.symbol, one.number, 1)
        found[frozenset([alone])] = Species((alone,))
        for symbol, number in _PARTNERS:
            parts = _pair(alone, Isotope(symbol, number, 1))
            found[frozenset(parts)] = Species(parts)
    ordered = sorted(found.values(), key=lambda species: species.mass)
    return tuple(species.mass for species in ordered), tuple(ordered)


def _pair(first: Isotope, second: Isotope) -> tuple[Isotope, ...]:
    if first == second:
        return (replace(first, count=2),)

    def place(part: Isotope) -> tuple[int, int]:
        rank = _LAST.index(part.symbol) + 1 if part.symbol in _LAST else 0
        return rank, part.number

    low, high = sorted((first, second), key=place)
    return low, high
