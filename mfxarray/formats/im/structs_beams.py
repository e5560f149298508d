"""Structures of the two beams: primary and secondary optics, slits and electron multipliers."""

from __future__ import annotations

from typing import Any

from mfxarray.formats.im.structs import Field, field, struct_of, unused

__all__ = ["BEAM_STRUCTS", "multiplier", "slits"]

_YIELD = (1e-6, 200)
_BACKGROUND = (0, 10**7)
_DEAD = (0, 10**5)
_POSITION = (0, 10**4)  # of a slit or a diaphragm: 0 to 10, or 500 in files of 2004 and 2005


def slits(prefix: str, first: int) -> list[Field]:
    """Return the fields of one detector's exit slits."""
    table = "two types of five positions"
    return [
        field(f"{prefix}_pos", first, "i4", f"{prefix}_slit", "", "position of the exit slit",
              valid=_POSITION),
        field(f"{prefix}_type", first + 4, "i4", f"{prefix}_slit_type", "",
              "0 normal, 1 large, 2 extra large"),
        field(f"{prefix}_widths", first + 8, "i4*10", f"{prefix}_slit_widths", "µm", table),
        field(f"{prefix}_heights", first + 48, "i4*10", f"{prefix}_slit_heights", "µm", table),
    ]  # fmt: skip


def multiplier(prefix: str, first: int) -> list[Field]:
    """Return yield, background and dead time of one electron multiplier."""
    return [
        field(f"{prefix}_yield", first, "f8", f"{prefix}_yield", "%", "counting efficiency",
              valid=_YIELD, group=prefix),
        field(f"{prefix}_background", first + 8, "i4", f"{prefix}_background", "1/s", "dark counts",
              valid=_BACKGROUND, group=prefix),
        field(f"{prefix}_deadtime", first + 12, "i4", f"{prefix}_dead_time", "ns", "dead time",
              valid=_DEAD, group=prefix),
    ]  # fmt: skip


def _diaphragm(name: str, first: int, **options: Any) -> list[Field]:
    what = f"diaphragm {name[1:].upper()}"
    return [
        field(f"{name}_pos", first, "i4", f"{name}_position", "", f"position of {what}",
              valid=_POSITION, **options),
        field(f"{name}_tab", first + 4, "i4*10", f"{name}_widths", "µm", f"sizes of {what}",
              **options),
    ]  # fmt: skip


_PRIMARY = [
    field("ion", 0, "c8", "ion", "", "primary ions, Cs+ or O-"),
    field("current_t0", 8, "i4", "current_start", "pA", "current at the start"),
    field("current_end", 12, "i4", "current_end", "pA", "current at the end; absent: not measured"),
    field("lduo", 16, "i4", "lduo", "V", "lens of the duoplasmatron"),
    field("l1", 20, "i4", "l1", "V", "lens 1"),
    *_diaphragm("dduo", 24),
    *_diaphragm("d0", 68),
    *_diaphragm("d1", 112),
    field("raster", 160, "f8", "raster", "µm", "side of the full raster"),
    field("oct45", 168, "f8", "octupole_45", "V", "stigmator"),
    field("oct90", 176, "f8", "octupole_90", "V", "stigmator"),
    field("e0p", 184, "f8", "e0p", "V", "immersion lens"),
    field("pressure", 192, "c32", "pressure", "Torr", "analysis chamber, as text"),
    field("l0", 224, "i4", "l0", "V", "lens 0", since=("parameters", 3)),
    field("cs_hv", 228, "i4", "cesium_voltage", "V", "source", since=("parameters", 4)),
    field("duo_hv", 232, "i4", "duoplasmatron_voltage", "V", "source", since=("parameters", 4)),
    *_diaphragm("dcs", 236, since=("parameters", 7)),
    unused("unused", 280, "i4*67"),
]


def _apertures(name: str, first: int, what: str) -> list[Field]:
    return [
        field(f"{name}_pos", first, "i4", f"{what}_slit", "", "position of the slit",
              valid=_POSITION),
        field(f"{name}_widths", first + 4, "i4*10", f"{what}_slit_widths", "µm", "all positions"),
        field(f"{name}_heights", first + 44, "i4*10", f"{what}_slit_heights", "µm",
              "all positions"),
    ]  # fmt: skip


_SECONDARY = [
    field("e0w", 0, "f8", "e0w", "V", "extraction; its sign is that of the secondary ions"),
    *_apertures("es", 8, "entrance"),
    *_apertures("as", 92, "aperture"),
    field("energy_slit_pos", 176, "f8", "energy_slit_position", "1", "unit not documented"),
    field("energy_slit_width", 184, "f8", "energy_slit_width", "1", "unit not documented"),
    *slits("fc", 192),
    *(row for i in range(5) for row in slits(f"em{i + 1}", 280 + 88 * i)),
    field("ld_width", 720, "f8", "ld_width", "1", "large detector"),
    field("ld_a", 728, "f8", "ld_a", "1", "large detector, coefficient a"),
    field("ld_b", 736, "f8", "ld_b", "1", "large detector, coefficient b"),
    field("e0s", 744, "f8", "e0s", "V", "secondary extraction"),
    field("pressure", 752, "c32", "pressure", "Torr", "multicollection chamber, as text"),
    field("fc_pos_background", 784, "i4", "fc_background_positive", "1", "unit not documented"),
    field("fc_neg_background", 788, "i4", "fc_background_negative", "1", "unit not documented"),
    *(row for i in range(5) for row in multiplier(f"em{i + 1}", 792 + 16 * i)),
    *multiplier("ld", 872),
    *slits("em4b", 888),
    *multiplier("em4b", 976),
    unused("unused", 992, "i4*2"),
]
_PARAMETERS = [
    field("structname", 0, "c16", "marker", "", "name of the structure"),
    field("release", 16, "i4", "release", "1", "layout: 1, 4, 6, 7 or 8"),
    field("n50_large", 20, "i4", "large", "", "1 NanoSIMS 50L", since=("parameters", 5),
          valid=(0, 1)),
    unused("unused", 24, "i4*2"),
    field("comment", 32, "c256", "comment", "", "free text"),
    field("primary", 288, "Ap_primary_nano", "primary", "", "primary beam"),
    field("secondary", 840, "Ap_secondary_nano", "secondary", "", "secondary beam"),
]  # fmt: skip

BEAM_STRUCTS = (
    struct_of("Ap_primary_nano", 552, 8, _PRIMARY, "4 bytes of alignment precede raster"),
    struct_of("Ap_secondary_nano", 1000, 8, _SECONDARY),
    struct_of("Anal_param_nano", 1840, 8, _PARAMETERS),
)
