"""Structures of the scan and of the detectors: Mask_nano and the five kinds of B-field records."""

from __future__ import annotations

from mfxarray.formats.im.structs import Field, Struct, field, struct_of, unused

__all__ = ["B_FIELD_VERSIONS", "NANO_STRUCTS"]

# Mask_nano.version -> rows of the trolley table, bytes of a row, rows of heights, bytes of a row
B_FIELD_VERSIONS = {
    2: (9, 192, 0, 0),
    4: (10, 192, 0, 0),
    8: (12, 192, 12, 24),
    9: (12, 208, 12, 24),
    10: (12, 208, 12, 48),
}
_SWITCH = (0, 1)
_SIDE = (1, 2**15)


_DAC = {"group": "row", "valid": (-(10**6), 10**6)}
_DETECTOR = {"group": "row", "valid": (-1, 99)}
_TICKS = {"group": "row", "valid": (0, 10**6)}


def _centring(last: str, meaning: str) -> list[Field]:
    return [
        field("det_id", 0, "i4", "detector", "", "detector used; -1 none", **_DETECTOR),
        field("start_dac", 4, "i4", "start_dac", "1", "first DAC value", **_DAC),
        field("dac_step", 8, "i4", "dac_step", "1", "step of the DAC", **_DAC),
        unused("pad", 12, "i4"),
        field("start_value", 16, "f8", "start_value", "V", "first value", **_DAC),
        field(last, 24, "f8", last, "V", meaning, **_DAC),
        field("count_time", 32, "i4", "count_time", "10.ms", "counting time", **_TICKS),
        unused("pad2", 36, "i4"),
    ]


_E0S = [
    field("det_id", 0, "i4", "detector", "", "detector used; -1 none", **_DETECTOR),
    field("start_dac", 4, "i4", "start_dac", "1", "first DAC value", **_DAC),
    field("dac_step", 8, "i4", "dac_step", "1", "step of the DAC", **_DAC),
    field("count_time", 12, "i4", "count_time", "10.ms", "counting time", **_TICKS),
    field("start_value", 16, "f8", "start_value", "V", "first value", **_DAC),
    field("width80", 24, "f8", "width80", "V", "width at 80 percent", **_DAC),
]


def _frame(first: int, suffix: str, ours: str, what: str) -> list[Field]:
    places = [("nx_low", "first_column"), ("nx_high", "last_column")]
    places += [("ny_low", "first_row"), ("ny_high", "last_row")]
    return [
        field(
            f"{name}{suffix}", first + 4 * i, "i4", f"{ours}_{place}", "1",
            f"of the {what} frame, from 1", valid=_SIDE,
        )
        for i, (name, place) in enumerate(places)
    ]  # fmt: skip


_SCAN = [
    field("version", 0, "i4", "version", "1", "layout: 2, 4, 8, 9 or 10"),
    field("regulation", 4, "i4", "regulation", "", "0 Hall probe, 1 NMR probe"),
    field("mode", 8, "i4", "mode", "", "0 multicollection, 1 peak switching, 2 combined"),
    field("grain_mode", 12, "i4", "grain_mode", "", "0 off, 1 on", valid=_SWITCH),
    field("semi_graphic", 16, "i4", "semi_graphic", "", "0 off, 1 on", valid=_SWITCH),
    field("delta_x", 20, "i4", "stage_width", "1", "width of a stage image"),
    field("delta_y", 24, "i4", "stage_height", "1", "height of a stage image"),
    field("nx_max", 28, "i4", "raster_columns", "1", "columns of the full raster", valid=_SIDE),
    field("ny_max", 32, "i4", "raster_rows", "1", "rows of the full raster", valid=_SIDE),
    *_frame(36, "", "scan", "scanned"),
    *_frame(52, "_blank", "counted", "counted"),
    field("detector_type", 68, "i4", "detector_type", "", "0 TIC, 1 several, 2 FCP, 3 FCO",
          valid=(0, 3)),
    field("electron_scan", 72, "i4", "electron_scan", "", "1 secondary electrons", valid=_SWITCH),
    field("scanning_mode", 76, "i4", "scanning", "", "0 off, 1 on", valid=_SWITCH),
    field("blanking_count", 80, "i4", "blanking", "", "0 off, 1 on", valid=_SWITCH),
    field("check_available", 84, "i4", "centring_available", "", "0 no, 1 yes", valid=_SWITCH),
    field("check_start", 88, "i4", "centring_start", "1", "first cycle of peak centring"),
    field("check_frequency", 92, "i4", "centring_period", "1", "cycles between peak centrings"),
    field("nb_bfield", 96, "i4", "b_field_count", "1", "B-field records that follow"),
    unused("bfield_pointers", 100, "i4*72"),
    field("print_results", 388, "i4", "print_results", "", "0 off, 1 on", valid=_SWITCH),
    field("sib_h", 392, "Sec_Ion_Beam_Nano", "beam_centring_horizontal", "", "secondary beam"),
    field("sib_v", 432, "Sec_Ion_Beam_Nano", "beam_centring_vertical", "", "secondary beam"),
    field("sib_bfield", 472, "i4", "beam_centring_b_field", "1", "B field used; -1 none"),
    field("sib_on", 476, "i4", "beam_centring_on", "", "0 off, 1 on", valid=_SWITCH),
    field("aec", 480, "Energy_Nano", "energy_centring", "", "centring of the energy"),
    field("aec_bfield", 520, "i4", "energy_centring_b_field", "1", "B field used; -1 none"),
    field("aec_on", 524, "i4", "energy_centring_on", "", "0 off, 1 on", valid=_SWITCH),
    field("aec_frequency", 528, "i4", "energy_centring_period", "1", "cycles between centrings",
          since=("nano", 2)),
    field("e0s_bfield", 532, "i4", "e0s_centring_b_field", "1", "B field used; -1 none",
          since=("nano", 2)),
    field("e0s", 536, "E0S_Nano", "e0s_centring", "", "centring of E0S", since=("nano", 2)),
    field("e0s_on", 568, "i4", "e0s_centring_on", "", "0 off, 1 on", since=("nano", 3),
          valid=_SWITCH),
    field("aec_wait", 572, "i4", "energy_centring_wait", "10.ms", "pause", since=("nano", 4)),
    field("presputter_raster", 576, "i4", "presputter_raster", "nm", "raster of presputtering",
          since=("nano", 6)),
    field("e0p_offset", 580, "i4", "e0p_offset", "1", "offset of E0P", since=("nano", 6)),
    field("e0s_points", 584, "i4", "e0s_points", "1", "points of E0S centring",
          since=("nano", 7)),
    field("baseline_n", 588, "i4", "baseline_points", "1", "baseline measurements",
          since=("nano", 7)),
    unused("unused", 592, "f8"),
    field("baseline_frequency", 600, "i4", "baseline_period", "1", "cycles between baselines",
          since=("nano", 8)),
    field("sib_during_acq", 604, "i4", "beam_centring_while_counting", "", "0 off, 1 on",
          since=("nano", 8), valid=_SWITCH),
    field("e0s_during_acq", 608, "i4", "e0s_centring_while_counting", "", "0 off, 1 on",
          since=("nano", 8), valid=_SWITCH),
    field("centring_frequency", 612, "i4", "all_centring_period", "1", "cycles between centrings",
          since=("nano", 8)),
    unused("padding", 616, "c936"),
]  # fmt: skip

_TROLLEY = [
    field("symbol", 0, "c64", "label", "", "label; Esi for electrons in some files"),
    field("amu", 64, "f8", "mass", "u", "mass"),
    field("radius", 72, "f8", "radius", "mm", "radius of the trolley"),
    field("neg_plate", 80, "i4", "negative_plate", "1", "DAC"),
    field("pos_plate", 84, "i4", "positive_plate", "1", "DAC"),
    field("detector", 88, "i4", "detector", "", "0 electron multiplier, 1 Faraday cup, 2 LD"),
    field("exit_slit", 92, "i4", "exit_slit", "1", "exit slit"),
    field("valid", 96, "i4", "valid", "", "1 a real trolley"),
    field("num", 100, "i4", "mass_index", "1", "row of the mass table; -1 none, below no trolley"),
    field("peak", 104, "i4", "peak_centring", "", "peak centring"),
    field("ref_peak", 108, "i4", "peak_reference", "", "reference of peak centring"),
    field("polarization", 112, "f8", "deflection", "V", "deflection"),
    field("start_voltage", 120, "f8", "start_voltage", "V", "first deflection of a scan"),
    field("hmr_start1", 128, "i4", "scan_start_1", "1", "first DAC of plate 1"),
    field("hmr_start2", 132, "i4", "scan_start_2", "1", "first DAC of plate 2"),
    field("hmr_step", 136, "i4", "scan_step", "1", "step of the DAC"),
    field("hmr_points", 140, "i4", "scan_points", "1", "points of a scan"),
    field("hmr_count_time", 144, "i4", "scan_count_time", "1", "unit not documented"),
    field("baseline", 148, "i4", "baseline", "", "used for the baseline"),
    field("width50", 152, "f8", "width50", "V", "width at half height"),
    field("edges", 160, "i4", "edges", "", "0 left, 1 right, 2 both", valid=(0, 2)),
    field("apc_count_time", 164, "i4", "centring_count_time", "10.ms", "of peak centring"),
    field("sib", 168, "i4", "beam_centring", "", "used for beam centring", valid=_SWITCH),
    field("unit_correction", 172, "i4", "unit_correction", "1", "correction of the unit"),
    field("deflection", 176, "f8", "plate_deflection", "V", "deflection of the plates"),
    field("energy_centring", 184, "i4", "energy_centring", "", "used for it", valid=_SWITCH),
    field("e0s_centring", 188, "i4", "e0s_centring", "", "used for it", valid=_SWITCH),
]
_TROLLEY_NEW = [
    field("baseline_offset", 192, "f8", "baseline_offset", "1", "offset of the baseline"),
    field("e0s_during_acq", 200, "i4", "e0s_while_counting", "", "0 off, 1 on", valid=_SWITCH),
    field("sib_during_acq", 204, "i4", "beam_while_counting", "", "0 off, 1 on", valid=_SWITCH),
]
_HEIGHTS = [
    field("used", 0, "i4", "used", "", "0 off, 1 on", valid=_SWITCH),
    field("start_dac", 4, "i4", "start_dac", "1", "first threshold"),
    field("step", 8, "i4", "dac_step", "1", "step of the threshold"),
    field("points", 12, "i4", "points", "1", "points"),
    field("count_time", 16, "i4", "count_time", "1", "unit not documented"),
    field("nb_scan", 20, "i4", "scans", "1", "repeats"),
]
_B_FIELD = [
    field("selected", 0, "i4", "selected", "", "1 in use", valid=_SWITCH),
    field("b_field", 4, "i4", "b_field", "1", "magnet DAC"),
    field("wait", 8, "i4", "wait", "µs", "pause after switching"),
    field("count_us_per_pixel", 12, "i4", "dwell_time", "µs", "a pixel"),
    field("count_s_per_point", 16, "f8", "count_time", "s", "a point, when not scanning"),
    field("wait_computed", 24, "i4", "wait_computed", "", "1 pause computed", valid=_SWITCH),
    field("e0w_offset", 28, "i4", "e0w_offset", "1", "DAC"),
    field("q", 32, "i4", "quadrupole", "1", "DAC"),
    field("lf4", 36, "i4", "lf4", "1", "DAC"),
    field("hex", 40, "i4", "hexapole", "1", "DAC"),
    field("n_frames", 44, "i4", "frames", "1", "frames in a row", since=("nano", 4)),
    unused("unused", 48, "f8"),
]


def _b_field(version: int) -> Struct:
    rows, width, heights, height = B_FIELD_VERSIONS[version]
    table = f"Tab_Trolley_nano_{width}*{rows}"
    fields = [*_B_FIELD, field("trolleys", 56, table, "trolleys", "", "one row a trolley")]
    end = 56 + rows * width
    if heights:
        kind = f"PHD_Trolley_Nano_{height}*{heights}"
        fields.append(field("phd", end, kind, "pulse_heights", "", "pulse-height scans"))
    return struct_of(f"Tab_BField_nano_v{version}", end + heights * height, 8, fields)


NANO_STRUCTS = (
    struct_of("Sec_Ion_Beam_Nano", 40, 8, _centring("width50", "width at half height")),
    struct_of("Energy_Nano", 40, 8, _centring("delta", "from the maximum to 10 percent")),
    struct_of("E0S_Nano", 32, 8, _E0S),
    struct_of("Mask_nano", 1552, 8, _SCAN, "of the same size in every version"),
    struct_of("Tab_Trolley_nano_192", 192, 8, _TROLLEY, "versions 2, 4 and 8"),
    struct_of("Tab_Trolley_nano_208", 208, 8, [*_TROLLEY, *_TROLLEY_NEW], "versions 9 and 10"),
    struct_of("PHD_Trolley_Nano_24", 24, 4, _HEIGHTS, "versions 8 and 9"),
    struct_of("PHD_Trolley_Nano_48", 48, 4, [*_HEIGHTS, unused("more", 24, "i4*6")], "version 10"),
    # what all versions of the record start with
    struct_of("Tab_BField_nano", 56, 8, _B_FIELD, "the head of the record"),
    *(_b_field(version) for version in B_FIELD_VERSIONS),
)
