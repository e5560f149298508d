"""Structures at the end of a NanoSIMS header: sample, presets, further detectors, image header."""

from __future__ import annotations

from dataclasses import replace

from mfxarray.formats.im.structs import Field, field, struct_of, unused
from mfxarray.formats.im.structs_beams import multiplier, slits

__all__ = ["TAIL_STRUCTS"]

_SWITCH = {"valid": (0, 1)}
_PIXELS = {"valid": (0, 2**15)}
# real-time images leave these fields unwritten: one impossible switch discredits all of them
_REFERENCE = {"group": "reference"}
_ENERGY = {"group": "energy"}
_ROTATION = {"group": "rotation"}
_TABLE = (0, 10**6)

_ENERGY_SHIFT = [
    field("central_energy", 0, "i4", "central_energy", "eV", "central energy"),
    field("field", 4, "i4", "b_field", "1", "magnet DAC"),
    field("central_mass", 8, "Polyatomique", "central_species", "", "central mass"),
    field("reference_mass", 152, "Polyatomique", "reference_species", "", "reference mass"),
    field("tube", 296, "f8", "tube", "V", "voltage of the tube"),
    field("tube_max_var", 304, "f8", "tube_max_change", "V", "largest change"),
]
_DEFINITION = [
    field("magic", 0, "i4", "magic", "1", "2306"),
    field("release", 4, "i4", "release", "1", "layout, 1"),
    field("filename", 8, "c256", "file_name", "", "name, or path on the instrument"),
    field("matrix", 264, "c256", "matrix", "", "matrix of the sample"),
    field("sigref_mode", 520, "i4", "reference_mode", "", "0 manual, 1 auto", **_REFERENCE,
          **_SWITCH),
    field("sigref_points", 524, "i4", "reference_points", "1", "points", **_REFERENCE),
    field("sigref_delta", 528, "i4", "reference_delta", "1", "unit not documented", **_REFERENCE),
    field("sigref_scan_time", 532, "i4", "reference_scan_time", "100.ms", "time a scan",
          **_REFERENCE),
    field("sigref_meas_time", 536, "i4", "reference_time", "s", "time of measurement",
          **_REFERENCE),
    field("sigref_beam_on", 540, "i4", "reference_beam_on", "1", "unit not documented",
          **_REFERENCE),
    field("eps_centring", 544, "i4", "energy_shift_centring", "", "0 off, 1 on", **_ENERGY,
          **_SWITCH),
    field("eps_on", 548, "i4", "energy_shift_on", "", "0 off, 1 on", **_ENERGY, **_SWITCH),
    field("eps", 552, "Def_eps", "energy_shift", "", "peak switching by energy", **_ENERGY),
    field("rot_on", 864, "i4", "rotation_on", "", "0 off, 1 on", **_ROTATION, **_SWITCH),
    field("rot_speed", 868, "i4", "rotation_speed", "{revolution}/min", "of the sample",
          **_ROTATION),
    field("rot_sync", 872, "i4", "rotation_synchronous", "", "0 off, 1 on", **_ROTATION,
          **_SWITCH),
    field("sample_name", 876, "c80", "sample", "", "name of the sample"),
    field("experience", 956, "c32", "experiment", "", "name of the experiment or its operator"),
    field("method", 988, "c32", "method", "", "name of the method"),
    unused("unused", 1020, "c1028"),
]  # fmt: skip
_OLD = [field("structname", 0, "c16", "marker", "", "name of the structure")]
_PARAMETER = [
    field("id", 0, "i4", "number", "1", "number of the parameter"),
    field("value", 4, "i4", "value", "1", "DAC"),
    field("name", 8, "c20", "name", "", "name of the parameter"),
]
_PRESET = [
    field("isf_file", 0, "c256", "file", "", "file of the instrument's settings"),
    field("name", 256, "c224", "name", "", "name of the preset"),
    field("date_calib", 480, "c32", "date", "", "dd.mm.yyyy hh:mm of its calibration"),
    field("selected", 512, "i4", "selected", "", "1 in use", **_SWITCH),
    field("nb_param", 516, "i4", "parameter_count", "1", "parameters in use", valid=(0, 150)),
]


def _preset(most: int) -> list[Field]:
    return [
        field("info", 0, "ApPresetDef", "preset", "", "what the preset is"),
        field("params", 520, f"ApParamPreset*{most}", "settings", "", "its parameters",
              used="info.nb_param"),
    ]  # fmt: skip


_SIXTH = {"since": ("parameters", 6)}


def _extra_large(number: int) -> list[Field]:
    first, name = 232 + 40 * (number - 1), f"xl_em{number}"
    what = "five positions of the extra large slit"
    return [
        field(f"{name}_widths", first, "i4*5", f"em{number}_xl_widths", "µm", what),
        field(f"{name}_heights", first + 20, "i4*5", f"em{number}_xl_heights", "µm", what),
    ]


def _cup(number: int) -> list[Field]:
    first, what = 12128 + 8 * (number - 1), "unit not documented"
    return [
        field(f"fc{number}_{sign}_background", first + 4 * i, "i4",
              f"fc{number}_background_{name}", "1", what, **_SIXTH)
        for i, (sign, name) in enumerate([("pos", "positive"), ("neg", "negative")])
    ]  # fmt: skip


_FURTHER = [
    field("structname", 0, "c24", "marker", "", "name of the structure"),
    *slits("em6", 24),
    *multiplier("em6", 112),
    *slits("em7", 128),
    *multiplier("em7", 216),
    *(row for number in range(1, 8) for row in _extra_large(number)),
    field("presputter_slit", 512, "ApPresetSlit", "presputter_slits", "",
          "preset of presputtering"),
    field("presputter_lens", 1592, "ApPresetLens", "presputter_lenses", "",
          "preset of presputtering"),
    field("acq_slit", 6312, "ApPresetSlit", "acquisition_slits", "", "preset of the acquisition"),
    field("acq_lens", 7392, "ApPresetLens", "acquisition_lenses", "", "preset of the acquisition"),
    *(replace(row, since=("parameters", 6)) for row in multiplier("emtic", 12112)),
    *(row for number in range(1, 8) for row in _cup(number)),
    *(
        field(f"det{number}_type", 12180 + 4 * number, "i4", f"detector{number}_type", "",
              "0 electron multiplier, 1 Faraday cup", **_SIXTH)
        for number in range(1, 8)
    ),
    unused("unused", 12212, "i4*763"),
]  # fmt: skip
_IMAGE = [
    field("size_self", 0, "i4", "size", "1", "bytes of this structure, 84"),
    field("type", 4, "i2", "stack", "", "0 one frame, 1 several"),
    field("w", 6, "i2", "columns", "1", "pixels a row", **_PIXELS),
    field("h", 8, "i2", "rows", "1", "rows a frame", **_PIXELS),
    field("d", 10, "i2", "pixel_bytes", "1", "2 or 4"),
    field("n", 12, "i2", "mass_count", "1", "masses a frame", **_PIXELS),
    field("z", 14, "i2", "frames", "1", "may be short of the truth", **_PIXELS),
    field("raster", 16, "i4", "raster", "nm", "truncated; 0 before the run"),
    field("nickname", 20, "c64", "file_name", "", "original name of the file"),
]
_ISOTOPES = [
    field("blocks", 0, "i4", "blocks", "1", "blocks of cycles"),
    field("frames_per_block", 4, "i4", "cycles_per_block", "1", "cycles a block"),
    field("rejection_sigma", 8, "i4", "rejection_sigma", "1", "limit of outliers"),
    field("nb_ratio", 12, "i4", "ratio_count", "1", "ratios in use", valid=(0, 20)),
    field("pairs", 16, "i4*40", "ratio_masses", "1", "numerator, denominator: rows of the masses",
          used="nb_ratio", each=2),
]  # fmt: skip

TAIL_STRUCTS = (
    struct_of("Def_eps", 312, 8, _ENERGY_SHIFT),
    struct_of("Def_analysis_bis", 2048, 8, _DEFINITION),
    struct_of("Anal_param", 416, 1, [*_OLD, unused("body", 16, "c400")], "an older duplicate"),
    struct_of("Setup_soft", 376, 1, [*_OLD, unused("body", 16, "c360")], "not documented"),
    struct_of("ApParamPreset", 28, 4, _PARAMETER),
    struct_of("ApPresetDef", 520, 4, _PRESET),
    struct_of("ApPresetSlit", 1080, 4, _preset(20)),
    struct_of("ApPresetLens", 4720, 4, _preset(150)),
    struct_of("Anal_param_nano_bis", 15264, 8, _FURTHER, "from parameters release 5 on"),
    struct_of("Header_image", 84, 4, _IMAGE, "the last 84 bytes of an image's header"),
    struct_of("Isotope_header", 176, 4, _ISOTOPES, "the last 176 bytes, type 26"),
)
