"""Label, composition record and mass of a detector: which one decides, and what is doubted."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mfxarray.formats.im.im import Detector, ImFile, open_im
from mfxarray.simulate.im_writer import ImHeader, write_im

TABLE = {2: 452, 10: 652}
RECORD = 48  # Polyatomique within Tab_mass


def opened(
    path: Path,
    label: str,
    mass: float,
    record: tuple[list[int], int, bytes] | None = None,
    *,
    version: int = 10,
    polarity: str = "-",
) -> ImFile:
    """Open a file of one detector, whose composition record is (elements, charges, sign)."""
    header = ImHeader((Detector("", label, mass, 1),), 2, 2, 1, version, polarity=polarity)
    write_im(path, np.ones((1, 1, 2, 2), np.uint32), header)
    if record is not None:
        raw, order = bytearray(path.read_bytes()), "<" if version == 10 else ">"
        elements, charges, sign = record
        place = TABLE[version] + RECORD
        struct.pack_into(f"{order}iic", raw, place + 8, len(elements) // 3, charges, sign)
        struct.pack_into(f"{order}{len(elements)}i", raw, place + 84, *elements)
        path.write_bytes(raw)
    return open_im(path)


def text(file: ImFile) -> str:
    return str(file.coords["species"][0])


@pytest.mark.parametrize("version", [2, 10])
@pytest.mark.parametrize("polarity", ["-", "+"])
def test_composition_where_there_is_no_label(tmp_path: Path, version: int, polarity: str) -> None:
    record = ([6, 0, 1, 7, 1, 1], 0, b"\0")
    file = opened(tmp_path / "a", "", 26.9, record, version=version, polarity=polarity)
    assert file.detectors[0].name == "12C 15N"
    assert text(file) == "¹²C¹⁵N" + {"-": "⁻", "+": "⁺"}[polarity]
    assert file.warnings == ()


def test_the_label_decides(tmp_path: Path) -> None:
    file = opened(tmp_path / "a", "12C 14N", 26.003, ([8, 0, 1], 0, b"\0"))
    assert text(file) == "¹²C¹⁴N⁻"
    assert "is 16O in its composition record" in file.warnings[0]


def test_order_and_isotopes_of_the_record_are_no_contradiction(tmp_path: Path) -> None:
    # the isotope is 0 whatever it is in files of some programs
    file = opened(tmp_path / "a", "12C 15N", 27.0, ([7, 0, 1, 6, 0, 1], 0, b"\0"))
    assert text(file) == "¹²C¹⁵N⁻"
    assert file.warnings == ()


def test_atoms_count(tmp_path: Path) -> None:
    file = opened(tmp_path / "a", "12C2", 24.0, ([6, 0, 1], 0, b"\0"))
    assert "is 12C in its composition record" in file.warnings[0]


@pytest.mark.parametrize(
    ("label", "charges", "sign", "species"),
    [
        ("40Ca", 2, b"+", "⁴⁰Ca²⁺"),
        ("40Ca", 0, b"-", "⁴⁰Ca⁻"),
        ("40Ca+", 1, b"-", "⁴⁰Ca⁺"),
        ("40Ca", 5, b"\xcc", "⁴⁰Ca⁻"),
        ("40Ca", -858993460, b"+", "⁴⁰Ca⁻"),
    ],
)
def test_charge(tmp_path: Path, label: str, charges: int, sign: bytes, species: str) -> None:
    assert text(opened(tmp_path / "a", label, 40.0, ([20, 0, 1], charges, sign))) == species


@pytest.mark.parametrize("mass", [12.6, 11.4, 13.0])
def test_a_label_far_from_its_mass_is_doubted(tmp_path: Path, mass: float) -> None:
    file = opened(tmp_path / "a", "12C", mass)
    assert f"'12C' was set to mass {mass:g} u" in file.warnings[0]
    assert file.detectors[0] == Detector("12C", "12C", mass, 1)


@pytest.mark.parametrize("mass", [11.997, 12.07])
def test_measured_peak_centres_are_no_doubt(tmp_path: Path, mass: float) -> None:
    assert opened(tmp_path / "a", "12C", mass).warnings == ()


def test_labels_that_are_no_species(tmp_path: Path) -> None:
    file = opened(tmp_path / "a", "total", 12.0)
    assert file.species == (None,)
    assert text(file) == "total"


def test_garbage_in_the_record_is_ignored(tmp_path: Path) -> None:
    file = opened(tmp_path / "a", "", 25.99, ([-858993460] * 15, -858993460, b"\xcc"))
    assert (file.detectors[0].name, file.species, file.warnings) == ("26AU", (None,), ())


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["RTIimage.im", "image sun.im", "OR1d6m_15.im.hdr"])
def test_real_files_agree_with_themselves(data_dir: Path, name: str) -> None:
    file = open_im(data_dir / "mims" / name)
    assert not any("composition" in warning or "mass" in warning for warning in file.warnings)
    for detector, species in zip(file.detectors, file.species, strict=True):
        assert (species is None) == (detector.mass == 0)
        if species is not None:
            assert species.label == detector.label
            assert species.charge == -1
            assert abs(species.mass - detector.mass) < 0.1
