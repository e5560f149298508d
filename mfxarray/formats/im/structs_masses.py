"""Structures at the start of a NanoSIMS header: definition, masks, masses and lists."""

from __future__ import annotations

from mfxarray.formats.im.structs import Field, Struct, field, struct_of, unused

__all__ = ["MASS_STRUCTS"]

_SWITCH = (0, 1)
_COUNT = (0, 10**7)

_DEFINITION = [
    field("release", 0, "i4", "file_release", "1", "layout of the file; 4108 is Windows"),
    field("analysis_type", 4, "i4", "analysis_type", "", "21 to 41, see analysis_kind"),
    field("hdr_size", 8, "i4", "header_bytes", "1", "length of the header, first byte of data"),
    field("sample_type", 12, "i4", "sample_type", "", "not used in practice"),
    field("data_present", 16, "i4", "data_present", "", "0 only a definition, 1 data follow"),
    field("sple_pos_x", 20, "i4", "stage_x", "µm", "stage; x is vertical, positive downwards"),
    field("sple_pos_y", 24, "i4", "stage_y", "µm", "stage; y is horizontal, positive right"),
    field("analysis_name", 28, "c32", "analysis_name", "", "kind of analysis in words"),
    field("username", 60, "c16", "user", "", "operator"),
    field("pos_z", 76, "i4", "stage_z", "µm", "stage"),
    unused("unused", 80, "i4*3"),
    field("date", 92, "c16", "date", "", "dd.mm.yy; years 69 to 99 are 19yy"),
    field("hour", 108, "c16", "time", "", "hh:mm, time zone not stored"),
]
_ELEMENTS = [
    field("num_elt", 0, "i4", "atomic_number", "1", "protons", valid=(0, 120)),
    field("num_isotop", 4, "i4", "isotope", "1", "counted from the lightest stable one, 0"),
    field("quantite", 8, "i4", "count", "1", "atoms of it", valid=(0, 1000)),
]
_SPECIES = [
    field("flag_chiffre", 0, "i4", "is_number", "", "1 the label is a number", valid=_SWITCH),
    field("chiffre", 4, "i4", "number", "1", "the number, where the label is one"),
    field("nb_elts", 8, "i4", "element_count", "1", "elements in use", valid=(0, 5)),
    field("nb_charges", 12, "i4", "charges", "1", "number of charges", valid=(0, 100)),
    field("charge", 16, "c1", "charge_sign", "", "+ or -, empty in most files"),
    field("string", 17, "c64", "label", "", "such as 12C 14N; empty for secondary electrons"),
    field("tab_elts", 84, "Tab_elts*5", "elements", "", "composition", used="nb_elts"),
]
_AUTO_CALIBRATION = [
    field("mass", 0, "c64", "reference_label", "", "reference mass"),
    field("begin", 64, "i4", "first_cycle", "1", "first calibrated cycle"),
    field("period", 68, "i4", "period", "1", "cycles between calibrations"),
]
_HV_CONTROL = [
    field("mass", 0, "c64", "reference_label", "", "reference mass"),
    field("begin", 64, "i4", "first_cycle", "1", "first controlled cycle"),
    field("period", 68, "i4", "period", "1", "cycles between controls"),
    field("low", 72, "f8", "low", "V", "lower bound"),
    field("high", 80, "f8", "high", "V", "upper bound"),
    field("step", 88, "f8", "step", "V", "step"),
    field("bandpass", 96, "i4", "bandpass", "eV", "width of the band"),
    field("count_time", 104, "f8", "count_time", "s", "counting time"),
]
_REFERENCE = [
    field("poly", 0, "Polyatomique", "species", "", "reference species"),
    field("detector", 144, "i4", "detector", "", "0 electron multiplier, 1 Faraday cup"),
    field("offset", 148, "i4", "offset", "1", "offset of the reference mass"),
    field("quantity", 152, "i4", "signal", "1/s", "expected counts"),
]
_REFERENCE_MULTI = [
    field("nb", 0, "i4", "count", "1", "number of entries"),
    unused("pointer", 4, "i4"),
]
_REFERENCE_EXPERIMENT = [
    field("measured", 0, "i4", "measured", "", "1 measured", valid=_SWITCH),
    field("sigref", 4, "SigRef", "reference", "", "the reference signal"),
    field("mode", 160, "i4", "mode", "", "0 manual, 1 automatic", valid=_SWITCH),
    field("count_time", 164, "i4", "count_time", "1", "counting time, unit not documented"),
    field("total_time", 168, "i4", "total_time", "1", "total time, unit not documented"),
    field("file", 172, "c128", "file", "", "name of the file"),
    field("path", 300, "c128", "path", "", "folder of the file"),
    field("bounded", 428, "i4", "bounded", "", "1 left and right are valid", valid=_SWITCH),
    field("left", 432, "f8", "left", "s", "left bound"),
    field("right", 440, "f8", "right", "s", "right bound"),
    unused("unused", 448, "c100"),
]
_CRATER = [
    field("x", 0, "f8", "crater_x", "µm", "position of the crater"),
    field("y", 8, "f8", "crater_y", "µm", "position of the crater"),
    field("cycle", 16, "i4", "cycle", "1", "cycle"),
]
_PAIR = [
    field("num", 0, "i4", "number", "1", "number"),
    field("val", 4, "i4", "value", "1", "value"),
]


def _sputter(first: int) -> list[Field]:
    return [
        field("beam_blanking", first, "i4", "beam_blanking", "", "0 off, 1 on", valid=_SWITCH),
        field("presputter", first + 4, "i4", "presputter", "", "0 off, 1 on", valid=_SWITCH),
        field("presputter_duration", first + 8, "i4", "presputter_duration", "s", "length of it"),
        field("autocal_on", first + 12, "i4", "calibration_on", "", "0 off, 1 on", valid=_SWITCH),
        field("autocal", first + 16, "AutoCal", "calibration", "", "automatic mass calibration"),
    ]


def _reference(first: int, pointers: int) -> list[Field]:
    return [
        field("sigref_on", first, "i4", "reference_on", "", "0 off, 1 on", valid=_SWITCH),
        field("sigref", first + 4, "SigRef", "reference", "", "reference signal"),
        field("nb_mass", first + 160, "i4", "mass_count", "1", "masses in the table"),
        unused("mass_pointers", first + 164, f"i4*{pointers}"),
    ]


def _image_scan(first: int) -> list[Field]:
    return [
        field("anal_duration", first, "i4", "duration", "s", "length of the analysis"),
        field("cycle_number", first + 4, "i4", "planned_cycles", "1", "planned frames or points"),
        field("scantype", first + 8, "i4", "scan_type", "", "0 in all files seen"),
        field("magnification", first + 12, "i2", "magnification", "1", "magnification"),
        field("sizetype", first + 14, "i2", "size_type", "", "not reliable: 0 256, 1 512, 2 1024"),
        field("size_detector", first + 16, "i2", "detector_size", "", "size of the detector"),
        unused("unused", first + 18, "i2"),
        *_sputter(first + 20),
    ]


def _image_mask(name: str, pointers: int) -> Struct:
    rows = [
        field("filename", 0, "c16", "file_name", "", "mostly empty"),
        *_image_scan(16),
        *_reference(124, pointers),
    ]
    note = "images, types 27, 29 and 39; 60 pointers from release 4108 on, 10 before"
    return struct_of(name, 288 + 4 * pointers, 4, rows, note)


def _stage_mask() -> Struct:
    rows = [
        field("filename", 0, "c16", "file_name", "", "mostly empty"),
        field("anal_duration", 16, "i4", "duration", "s", "length of the analysis"),
        field("type", 20, "i4", "scan_type", "", "0 stage, 1 beam, 2 image scan"),
        field("nb_zones", 24, "i4", "planned_steps", "1", "planned positions", valid=_COUNT),
        field("step_x", 28, "i4", "step_x", "µm", "step of the stage; columns in an image"),
        field("step_y", 32, "i4", "step_y", "µm", "step of the stage; rows in an image"),
        field("step_real", 36, "i4", "step_distance", "µm", "distance between positions"),
        field("wait", 40, "f8", "wait", "s", "pause between positions"),
        field("nb_cycle", 48, "i4", "planned_cycles", "1", "planned cycles"),
        *_sputter(52),
        field("hv_on", 140, "i4", "hv_control_on", "", "0 off, 1 on", valid=_SWITCH),
        field("hv", 144, "HvCont", "hv_control", "", "control of the high voltage"),
        *_reference(256, 20),
    ]
    note = "Mask_ls: line scans and images with the stage, types 22 and 41; 4 bytes pad the end"
    return struct_of("Mask_iss", 504, 8, rows, note)


def _point_mask(name: str, pointers: int) -> Struct:
    rows = [
        *_image_scan(20)[:2],
        *_reference(264, pointers),
    ]
    note = (
        "depth profile, spot, beam stability: types 21, 26 and 35; read off real files, "
        "where the bytes between are all zero, so their fields are not known"
    )
    # 4 bytes of padding follow the pointers
    return struct_of(name, 432 + 4 * pointers, 8, rows, note)


def _scan_mask() -> Struct:
    rows = [
        field("filename", 0, "c16", "file_name", "", "name of the file"),
        *_reference(32, 20),
    ]
    note = "energy and mass scans, types 25 and 31; read off a real file of type 25"
    return struct_of("Mask_scan", 276, 4, rows, note)


_MASS_HEAD = [
    field("trolley_index", 0, "i4", "trolley", "", "row of the trolley table; 8 electrons"),
    field("type_mass", 4, "i4", "mass_type", "", "0 in all files seen"),
    field("mass_amu", 8, "f8", "mass", "u", "centre of the peak; 0 for electrons", valid=(0, 1e4)),
    field("matrix_or_trace", 16, "i4", "matrix_or_trace", "", "matrix or trace"),
    field("detector", 20, "i4", "detector", "", "0 electron multiplier, 1 Faraday cup"),
    field("waiting_time", 24, "f8", "wait", "s", "pause before counting"),
    field("counting_time", 32, "f8", "count_time", "s", "a frame or point; not in RTI images"),
]
_MASS = [
    *_MASS_HEAD,
    field("offset", 40, "i4", "offset", "V", "offset of the sample voltage"),
    field("mag_field", 44, "i4", "b_field", "1", "magnet DAC; 0 but in real-time images"),
    field("poly", 48, "Polyatomique", "species", "", "label and composition"),
]
_MASS_SCAN = [
    *_MASS_HEAD,
    field("scan_start", 40, "f8", "scan_start", "V", "first value; mm in trolley step scans"),
    field("scan_end", 48, "f8", "scan_end", "V", "last value; mm in trolley step scans"),
    field("scan_step", 56, "f8", "scan_step", "V", "step; µm in trolley step scans"),
    field("mag_field", 64, "i4", "b_field", "1", "magnet DAC"),
    field("poly", 68, "Polyatomique", "species", "", "label and composition"),
]
_TOGETHER = {"group": "row", "valid": _COUNT}
_CALIBRATION = [
    field("n_delta", 0, "i4", "delta_count", "1", "number of steps", **_TOGETHER),
    field("np_delta", 4, "i4", "delta_points", "1", "points a step", **_TOGETHER),
    field("count_time", 8, "i4", "count_time", "1", "unit not documented", **_TOGETHER),
    field("nb_cycles", 12, "i4", "cycles", "1", "cycles", **_TOGETHER),
    unused("unused", 16, "f8"),
    field("ref_mass", 24, "f8", "reference_mass", "u", "mass", group="row", valid=(1e-3, 1e4)),
    field("symbol", 32, "c64", "reference_label", "", "label of the reference"),
]


def _list(name: str, counted: str, ours: str, what: str, note: str = "") -> Struct:
    rows = [
        field("structname", 0, "c16", "marker", "", "name of the structure; empty in RTI images"),
        field(counted, 16, "i4", ours, "1", what),
        unused("pointer", 20, "i4"),
    ]
    return struct_of(name, 24, 4, rows, note)


MASS_STRUCTS = (
    struct_of("Def_analysis", 124, 4, _DEFINITION),
    struct_of("Tab_elts", 12, 4, _ELEMENTS),
    struct_of("Polyatomique", 144, 4, _SPECIES, "bytes 81 to 83 are padding, before tab_elts"),
    struct_of("AutoCal", 72, 4, _AUTO_CALIBRATION),
    struct_of("HvCont", 112, 8, _HV_CONTROL),
    struct_of("SigRef", 156, 4, _REFERENCE),
    struct_of("SigRefMulti", 8, 4, _REFERENCE_MULTI),
    struct_of("SigRefExp", 552, 8, _REFERENCE_EXPERIMENT, "not met in any file"),
    struct_of("Crater", 24, 8, _CRATER, "not met in any file"),
    struct_of("Couple", 8, 4, _PAIR, "not met in any file"),
    _image_mask("Mask_im_old", 10),
    _image_mask("Mask_im_v4108", 60),
    _stage_mask(),
    _point_mask("Mask_dp_old", 10),
    _point_mask("Mask_dp_v4108", 60),
    _scan_mask(),
    struct_of("Tab_mass", 192, 8, _MASS),
    struct_of("Tab_mass_scan", 216, 8, _MASS_SCAN, "types 25 and 31; 4 bytes pad the end"),
    struct_of("Cal_cond", 96, 8, _CALIBRATION, "left-over memory in every file seen"),
    _list("Poly_list", "nb_poly", "count", "polyatomic ions that follow"),
    _list("Champs_list", "nb_champs", "count", "fields that follow", "types 21, 22 and 26"),
    _list("Offset_list", "nb_offsets", "count", "offsets that follow", "types 21, 22 and 26"),
)
