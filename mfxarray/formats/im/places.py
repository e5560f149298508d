"""Where the records of a NanoSIMS header start, for every type of analysis.

Offsets are computed from the counts in the header, never searched for, because left-over memory
between the records holds stray copies of the markers. The sum of all record sizes must meet the
marker ``Anal_param_nano`` a fixed distance before the end; where it does not, only the fields at
fixed places are used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mfxarray.formats.im.layout import B_FIELD_SIZE, STRUCTS, mass_pointers

__all__ = [
    "ANALYSIS_KINDS",
    "KINDS",
    "TAIL_RECORDS",
    "HeaderFault",
    "Kind",
    "MassPlace",
    "SettingsPlace",
    "find_anchor",
    "find_masses",
    "find_settings",
]

ANALYSIS_KINDS = {
    21: "depth profile",
    22: "line scan with the stage",
    25: "energy scan",
    26: "isotope spot",
    27: "image",
    29: "grain-mode image",
    30: "grain-mode isotope",
    31: "mass, beam or trolley scan",
    32: "pulse-height distribution",
    34: "tool scan",
    35: "beam stability",
    39: "line-scan image with the beam",
    40: "line scan with the beam",
    41: "image with the sample stage",
}
_MAX_B_FIELDS = 72  # as many pointers as Mask_nano has
_MAX_IONS = 1000  # 0 in every file seen
_LIST = STRUCTS["Poly_list"].size
# what follows Anal_param_nano in every file, at fixed distances from it
TAIL_RECORDS = {
    "Anal_param_nano": 0,
    "Def_analysis_bis": 1840,
    "Anal_param": 3888,
    "Setup_soft": 4304,
    "Anal_param_nano_bis": 4680,
}
_COMMON_TAIL = 19944  # where Anal_param_nano_bis ends
_MARKER = b"Anal_param_nano"


class HeaderFault(Exception):  # noqa: N818 - carried to the user as a warning, not as an error
    """A part of the header that contradicts itself."""


@dataclass(frozen=True)
class Kind:
    """How the header of one type of analysis is built.

    Attributes
    ----------
    mask
        Structure after Def_analysis; some exist in two lengths, see `mask_struct`.
    mass
        Structure of a row of the mass table.
    lists
        The lists after the mass table.
    tail
        The last structure, None where there is none.
    """

    mask: str
    mass: str = "Tab_mass"
    lists: tuple[str, ...] = ("Poly_list",)
    tail: str | None = None

    def mask_struct(self, release: int) -> str:
        """Return the key of the mask in `im_layout.STRUCTS`."""
        if self.mask in STRUCTS:
            return self.mask
        return f"{self.mask}_old" if mass_pointers(release) == 10 else f"{self.mask}_v4108"


_THREE = ("Poly_list", "Champs_list", "Offset_list")
_IMAGE = Kind("Mask_im", tail="Header_image")
KINDS = {
    21: Kind("Mask_dp", lists=_THREE),
    22: Kind("Mask_iss", lists=_THREE),
    25: Kind("Mask_scan", "Tab_mass_scan"),
    26: Kind("Mask_dp", lists=_THREE, tail="Isotope_header"),
    27: _IMAGE,
    29: _IMAGE,
    31: Kind("Mask_scan", "Tab_mass_scan"),
    35: Kind("Mask_dp"),
    39: _IMAGE,
    41: Kind("Mask_iss", tail="Header_image"),
}


@dataclass(frozen=True)
class MassPlace:
    """Where the mass table lies.

    Attributes
    ----------
    mask, mass
        Keys of the structures.
    table, count
        First byte and number of rows.
    calibrations
        First byte of the calibration records, one a mass.
    end
        Byte after them, where the lists start.
    """

    mask: str
    mass: str
    table: int
    count: int
    calibrations: int
    end: int


@dataclass(frozen=True)
class SettingsPlace:
    """Where the settings lie.

    Attributes
    ----------
    lists, ions
        Name of a list -> its first byte; number of polyatomic ions that follow Poly_list.
    nano, version
        First byte of Mask_nano, and what it calls itself.
    first, size, count
        First byte, bytes and number of the B-field records.
    anchor
        First byte of Anal_param_nano.
    """

    lists: dict[str, int]
    ions: int
    nano: int
    version: int
    first: int
    size: int
    count: int
    anchor: int


def find_masses(header: bytes, order: str, kind: Kind, release: int) -> MassPlace:
    """Return where the mass table lies.

    Raises
    ------
    HeaderFault
        If the number of masses cannot be right.
    """
    mask = kind.mask_struct(release)
    start = STRUCTS["Def_analysis"].size
    fields = STRUCTS[mask].fields
    table = start + STRUCTS[mask].size
    if table > len(header):
        raise HeaderFault("the header ends before the mass table")
    count = _integer(header, order, start + fields["nb_mass"].offset)
    size, calibration = STRUCTS[kind.mass].size, STRUCTS["Cal_cond"].size
    end = table + (size + calibration) * count
    most = fields["mass_pointers"].count
    if not 1 <= count <= most or end + _LIST * len(kind.lists) > len(header):
        raise HeaderFault(f"the mass table cannot hold {count} masses")
    return MassPlace(mask, kind.mass, table, count, table + size * count, end)


def find_anchor(header: bytes, kind: Kind | None) -> int:
    """Return the first byte of Anal_param_nano, at its place from the end of the header.

    ``kind`` None is a type whose last structure is not known: any known one may be there.

    Raises
    ------
    HeaderFault
        If its name is not there.
    """
    known = [kind] if kind is not None else list(KINDS.values())
    tails = {0 if k.tail is None else STRUCTS[k.tail].size for k in known}
    for tail in sorted(tails):
        anchor = len(header) - _COMMON_TAIL - tail
        if anchor >= 0 and header[anchor : anchor + len(_MARKER)] == _MARKER:
            return anchor
    place = len(header) - _COMMON_TAIL - max(tails)
    raise HeaderFault(f"Anal_param_nano is not at byte {place}, where it belongs")


def find_settings(header: bytes, order: str, kind: Kind, masses: MassPlace) -> SettingsPlace:
    """Return where the settings lie.

    Raises
    ------
    HeaderFault
        If the records do not add up to the length of the header.
    """
    anchor = find_anchor(header, kind)
    lists, ions, nano = _find_lists(header, order, kind, masses.end, anchor)
    first = nano + STRUCTS["Mask_nano"].size
    if first > anchor:
        raise HeaderFault(f"the list of polyatomic ions cannot hold {ions}")
    fields = STRUCTS["Mask_nano"].fields
    version = _integer(header, order, nano + fields["version"].offset)
    number = _integer(header, order, nano + fields["nb_bfield"].offset)
    if not 1 <= number <= _MAX_B_FIELDS:
        raise HeaderFault(f"{number} B fields are claimed")
    size, rest = divmod(anchor - first, number)
    if rest or size < STRUCTS["Tab_BField_nano"].size or size != B_FIELD_SIZE.get(version, size):
        raise HeaderFault(
            f"{number} B-field records of layout version {version} do not fill "
            f"the {anchor - first} bytes before Anal_param_nano"
        )
    return SettingsPlace(lists, ions, nano, version, first, size, number, anchor)


def _find_lists(
    header: bytes, order: str, kind: Kind, place: int, anchor: int
) -> tuple[dict[str, int], int, int]:
    """Return where the lists start, the number of polyatomic ions, and the byte after the lists."""
    starts, ions = {}, 0
    for name in kind.lists:
        if place + _LIST > anchor:
            raise HeaderFault(f"the list of polyatomic ions cannot hold {ions}")
        starts[name] = place
        count = _integer(header, order, place + 16)
        place += _LIST
        if name == "Poly_list":
            ions = count
            place += STRUCTS["Polyatomique"].size * max(count, 0)
        elif count:
            raise HeaderFault(f"entries of {name} are claimed, whose layout is not known")
    if not 0 <= ions <= _MAX_IONS:
        raise HeaderFault(f"the list of polyatomic ions cannot hold {ions}")
    return starts, ions, place


def _integer(header: bytes, order: str, place: int) -> int:
    return int(struct.unpack_from(f"{order}i", header, place)[0])
