"""Which species the detectors of an ion image count: by label, by composition record, by mass."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from mfxarray.formats.im.header import Masses, Parameters
from mfxarray.formats.species import Species, guess_species, parse_species, species_of_elements

__all__ = ["find_species", "species_text"]

# from the start of Polyatomique: nb_elts, nb_charges, charge, then tab_elts
_COMPOSITION = "8x2ic67x15i"
_ROW, _TABLE = 192, 288  # bytes of Tab_mass, and together with its calibration record
_POLYATOMIQUE = 48  # from the start of Tab_mass
_FAR = 0.5  # u; further off, a mass belongs to something else


def find_species(
    header: bytes, order: str, masses: Masses | None, parameters: Parameters | None, count: int
) -> tuple[tuple[Species | None, ...], list[str]]:
    """Return the species of every detector, None where it is not known, and contradictions.

    Parameters
    ----------
    header, order
        All bytes before the first pixel, and their byte order.
    masses, parameters
        What is known of the header.
    count
        Number of detectors.

    Notes
    -----
    The label decides; without one, the composition record; without that, the mass if it leaves no
    doubt. The charge is that of the label or of the record, or one of the measured polarity.
    """
    if masses is None:
        return (None,) * count, []
    polarity = None if parameters is None else parameters.attrs.get("polarity")
    found: list[Species | None] = []
    warnings: list[str] = []
    for number, row in enumerate(masses.rows):
        place = masses.end - _TABLE * len(masses.rows) + _ROW * number + _POLYATOMIQUE
        record = _composition(header, place, order)
        labelled = parse_species(row["symbol"])
        warnings += _contradictions(row, labelled, record)
        species = labelled or record
        if species is None and row["mass_amu"] > 0 and not row["symbol"]:
            species = guess_species(row["mass_amu"])
        found.append(_charged(species, record, polarity))
    return tuple(found), warnings


def _composition(header: bytes, place: int, order: str) -> Species | None:
    elements, charges, sign, *table = struct.unpack_from(order + _COMPOSITION, header, place)
    species = species_of_elements(table, elements)
    if species is None or sign not in (b"+", b"-") or not 0 <= charges <= 9:
        return species
    return replace(species, charge=max(charges, 1) * (1 if sign == b"+" else -1))


def _contradictions(
    row: dict[str, Any], labelled: Species | None, record: Species | None
) -> list[str]:
    if labelled is None:
        return []
    found = []
    label = row["symbol"]
    # which isotope it is, is not told by all programs that write these files
    if record is not None and labelled.elements != record.elements:
        found.append(
            f"detector {label!r} is {record.label} in its composition record; the label is used"
        )
    if abs(labelled.mass - row["mass_amu"]) > _FAR:
        found.append(f"detector {label!r} was set to mass {row['mass_amu']:g} u; both are kept")
    return found


def _charged(
    species: Species | None, record: Species | None, polarity: str | None
) -> Species | None:
    if species is None or species.charge:
        return species
    measured = {"+": 1, "-": -1}.get(polarity or "", 0)
    return replace(species, charge=(record.charge if record else 0) or measured)


def species_text(species: Species | None, name: str) -> str:
    """Return how a species is written in pictures, such as "¹²C¹⁴N⁻"; else the detector's name."""
    return name if species is None else species.text
