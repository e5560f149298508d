"""The table of masses against values that anyone can look up, and against instruments' headers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mfxarray.formats.nuclides import ELECTRON_MASS, ELEMENTS, natural, nuclide, nuclides
from mfxarray.formats.species import parse_species

# atomic masses in u as CIAAW prints them, rounded to 1e-6
KNOWN = {
    "1H": 1.007825,
    "2H": 2.014102,
    "7Li": 7.016003,
    "11B": 11.009305,
    "13C": 13.003355,
    "14N": 14.003074,
    "15N": 15.000109,
    "16O": 15.994915,
    "17O": 16.999132,
    "18O": 17.999160,
    "19F": 18.998403,
    "23Na": 22.989769,
    "24Mg": 23.985042,
    "27Al": 26.981538,
    "28Si": 27.976927,
    "29Si": 28.976495,
    "30Si": 29.973770,
    "31P": 30.973762,
    "32S": 31.972071,
    "33S": 32.971459,
    "34S": 33.967867,
    "36S": 35.967081,
    "35Cl": 34.968853,
    "37Cl": 36.965903,
    "39K": 38.963706,
    "40Ca": 39.962591,
    "48Ti": 47.947941,
    "56Fe": 55.934936,
    "63Cu": 62.929597,
    "64Zn": 63.929142,
    "79Br": 78.918338,
    "81Br": 80.916290,
    "80Se": 79.916522,
    "88Sr": 87.905612,
    "107Ag": 106.905092,
    "127I": 126.904472,
    "133Cs": 132.905452,
    "138Ba": 137.905247,
    "197Au": 196.966569,
    "208Pb": 207.976652,
    "238U": 238.050788,
}
# elements of one natural isotope
ALONE = "Be F Na Al P Sc Mn Co As Y Nb Rh I Cs Pr Tb Ho Tm Au Bi Th".split()  # noqa: SIM905


@pytest.mark.parametrize(("label", "mass"), KNOWN.items())
def test_known_masses(label: str, mass: float) -> None:
    species = parse_species(label)
    assert species is not None
    assert species.mass == pytest.approx(mass, abs=2e-6)


def test_carbon_12_is_the_unit() -> None:
    found = nuclide("C", 12)
    assert found is not None
    assert found.mass == 12.0


def test_electron() -> None:
    # proton = hydrogen atom less its electron, but for 13.6 eV = 1.5e-8 u
    hydrogen = nuclide("H", 1)
    assert hydrogen is not None
    assert hydrogen.mass - ELECTRON_MASS == pytest.approx(1.007276467, abs=2e-8)


def test_every_mass_is_near_its_number() -> None:
    for one in nuclides().values():
        assert abs(one.mass - one.number) < 0.11, one
        assert math.isfinite(one.mass)


def test_order_of_elements() -> None:
    assert len(set(ELEMENTS)) == len(ELEMENTS) == 95
    known = {"H": 1, "C": 6, "O": 8, "Si": 14, "Fe": 26, "Br": 35, "I": 53, "Au": 79, "U": 92}
    assert {symbol: ELEMENTS.index(symbol) + 1 for symbol in known} == known
    assert {one.symbol for one in nuclides().values()} <= set(ELEMENTS)


def test_natural_isotopes() -> None:
    numbers = {
        8: [16, 17, 18],
        14: [28, 29, 30],
        16: [32, 33, 34, 36],
        19: [39, 40, 41],
        6: [12, 13],
    }
    for atomic_number, known in numbers.items():
        assert [one.number for one in natural(atomic_number)] == known
    assert len(natural(50)) == 10
    assert len(natural(54)) == 9
    single = {one.symbol for z in range(1, 96) for one in natural(z) if len(natural(z)) == 1}
    assert single == set(ALONE)
    assert [natural(z) for z in (0, -1, 43, 61, 84, 96, 10**9)] == [()] * 7


def test_tracers_are_known_but_not_natural() -> None:
    found = nuclide("C", 14)
    assert found is not None
    assert not found.natural
    assert found.mass == pytest.approx(14.003242, abs=1e-6)
    assert nuclide("C", 15) is None


@pytest.mark.realdata
def test_masses_that_instruments_calculated(data_dir: Path) -> None:
    facts = json.loads((data_dir / "mims" / "facts.json").read_text())
    compared = 0
    for name in ("grain mode cameca.im", "line scan beam control.im", "depth profile.dp"):
        for row in facts[name]["header"]["masses"]:
            species = parse_species(row["symbol"])
            if species is not None:
                assert species.mass == pytest.approx(row["amu"], abs=1.5e-6)
                compared += 1
    assert compared > 15
