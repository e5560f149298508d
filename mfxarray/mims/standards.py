"""Isotope ratios of reference standards, each with the year of its determination and its source.

The choice matters: a ratio 13C/12C of 0.0111 is -12.2 permil against VPDB of 1957 and -7.2 against
that of 1990. So none is ever a default.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

__all__ = ["STANDARDS", "Standard", "check_species", "find_standard"]


@dataclass(frozen=True)
class Standard:
    """A reference ratio; make one for a standard that is not in the table.

    Attributes
    ----------
    ratio
        Isotopes, heavy over light, as "13C/12C"; empty for a ratio of anything else.
    name
        Name of the standard.
    year
        Year of the determination, because values of one standard differ.
    value
        The ratio.
    source
        Where the value comes from.
    """

    ratio: str
    name: str
    year: int
    value: float
    source: str = ""


STANDARDS: tuple[Standard, ...] = (
    Standard("13C/12C", "VPDB", 1957, 0.0112372, "Craig 1957 (PDB), the old value"),
    Standard("13C/12C", "VPDB", 1990, 0.011180, "Zhang et al. 1990"),
    Standard("13C/12C", "VPDB", 2021, 0.0111797, "as in NEONiso (Fiorella et al. 2021)"),
    Standard("13C/12C", "VPDB", 2024, 0.0111105, "Rapid Commun. Mass Spectrom. 38, e9773"),
    Standard("15N/14N", "air", 1958, 1 / 272, "Junk & Svec 1958; recommended by CIAAW"),
    Standard("18O/16O", "VSMOW", 1976, 0.0020052, "Baertschi 1976"),
    Standard("2H/1H", "VSMOW", 1970, 1.5576e-4, "Hagemann et al. 1970"),
    Standard("34S/32S", "CDT", 1963, 0.045005, "Ault & Jensen 1963, rounded"),
    Standard("34S/32S", "VCDT", 2001, 0.0441626, "Ding et al. 2001"),
)


def find_standard(wanted: tuple[str, int] | Standard) -> Standard:
    """Return a standard of the table by name and year, or the given one after a check.

    Raises
    ------
    ValueError
        If it is not in the table, or its value is not positive.
    """
    if isinstance(wanted, Standard):
        if not wanted.name or not 0 < wanted.value < float("inf"):
            raise ValueError(f"a standard needs a name and a positive ratio, not {wanted}")
        return wanted
    known = {(standard.name, standard.year): standard for standard in STANDARDS}
    key = tuple(wanted) if isinstance(wanted, tuple | list) else wanted
    if key not in known:
        raise ValueError(
            f"no standard {wanted!r}; name one with its year, of {', '.join(map(str, known))}, or "
            "give mfxarray.mims.standards.Standard(ratio, name, year, value, source)"
        )
    return known[key]


def check_species(standard: Standard, numerator: str, denominator: str) -> None:
    """Raise ValueError where two species differ in other isotopes than those of the standard.

    Let pass: species whose difference is not one isotope each, standards that name no isotopes.
    """
    above = Counter(numerator.rstrip("+-").split())
    below = Counter(denominator.rstrip("+-").split())
    heavy, light = list((above - below).elements()), list((below - above).elements())
    if not standard.ratio or len(heavy) != 1 or len(light) != 1:
        return
    found = f"{heavy[0]}/{light[0]}"
    if found != standard.ratio:
        raise ValueError(
            f"{numerator!r} over {denominator!r} is {found}, but {standard.name} {standard.year} "
            f"is a standard of {standard.ratio}"
        )
