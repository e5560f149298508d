"""Standards: by name and year only, values of the literature, right isotopes."""

from __future__ import annotations

import pytest

from mfxarray.mims.standards import STANDARDS, Standard, check_species, find_standard


@pytest.mark.parametrize(
    ("name", "year", "value"),
    [
        ("VPDB", 1957, 0.0112372),
        ("VPDB", 1990, 0.011180),
        ("VPDB", 2021, 0.0111797),
        ("air", 1958, 0.00367647),
        ("VSMOW", 1976, 0.0020052),
        ("CDT", 1963, 0.045005),
    ],
)
def test_values(name, year, value):
    found = find_standard((name, year))
    assert found.value == pytest.approx(value, rel=2e-6)
    assert found.source


def test_air_is_exactly_one_in_272():
    assert find_standard(("air", 1958)).value == 1 / 272


def test_names_and_years_are_unique():
    assert len({(found.name, found.year) for found in STANDARDS}) == len(STANDARDS)


def test_a_standard_of_ones_own():
    own = Standard("13C/12C", "lab graphite", 2024, 0.0109)
    assert find_standard(own) is own


@pytest.mark.parametrize("wanted", ["VPDB", ("VPDB",), ("VPDB", 1900), ("PDB", 1957), 0.0112, None])
def test_no_year_no_standard(wanted):
    with pytest.raises(ValueError, match="name one with its year"):
        find_standard(wanted)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_values(value):
    with pytest.raises(ValueError, match="positive ratio"):
        find_standard(Standard("", "own", 2024, value))


@pytest.mark.parametrize(
    ("above", "below", "fits"),
    [
        ("13C", "12C", True),
        ("13C 14N", "12C 14N", True),
        ("12C", "13C", False),
        ("12C 15N", "12C 14N", False),
        ("13C-", "12C-", True),
        ("12C 13C", "12C2", True),
        ("a", "a", True),
    ],
)
def test_isotopes(above, below, fits):
    standard = find_standard(("VPDB", 1990))
    if fits:
        check_species(standard, above, below)
    else:
        with pytest.raises(ValueError, match="is a standard of 13C/12C"):
            check_species(standard, above, below)
