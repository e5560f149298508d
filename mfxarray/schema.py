"""The data model as data: what every variable is called, its dimensions, unit and meaning.

Names are the field's own short names, except that ``loc`` is called ``position`` and ``lnc``
``position_uncorrected``, because a variable named ``loc`` cannot be reached as ``ds.loc``.
The name in the source file is kept in ``attrs["source_name"]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "AXES",
    "BEADS",
    "CFR_NOT_MEASURED",
    "ION_IMAGES",
    "LOCALIZATIONS",
    "TRACES",
    "Variable",
    "by_name",
    "localization_variable",
]

AXES = ("x", "y", "z")
# Imspector writes this where the centre-frequency ratio was not measured, never NaN
CFR_NOT_MEASURED = -1.0 / 32768.0


@dataclass(frozen=True)
class Variable:
    """One variable of the data model.

    Attributes
    ----------
    name
        Name in our Datasets.
    dims
        Dimensions, outermost first.
    dtype
        NumPy dtype in our Datasets; files may hold a narrower or wider one, which is kept.
    units
        SI unit, "1" for pure numbers, None for flags and ids.
    long_name
        Meaning, in a few words.
    source_name
        Name in the vendor's files, None where we derive the variable.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str | None
    long_name: str
    source_name: str | None = None

    def attrs(self) -> dict[str, Any]:
        """Return the attributes that a variable carries in a Dataset."""
        found = {"units": self.units, "long_name": self.long_name, "source_name": self.source_name}
        return {key: value for key, value in found.items() if value is not None}


_L = ("localization",)
_LI = ("localization", "iteration")
_LIA = ("localization", "iteration", "axis")

LOCALIZATIONS: tuple[Variable, ...] = (
    Variable("itr", _LI, "int32", "1", "iteration number", "itr"),
    Variable("tic", _LI, "uint64", "25 ns", "time since start in FPGA ticks", "tic"),
    Variable("position", _LIA, "float64", "m", "position after bead correction", "loc"),
    Variable(
        "position_uncorrected", _LIA, "float64", "m", "position before bead correction", "lnc"
    ),
    Variable("eco", _LI, "int32", "1", "photons, pattern periphery", "eco"),
    Variable("ecc", _LI, "int32", "1", "photons, pattern centre", "ecc"),
    Variable("efo", _LI, "float64", "Hz", "emission frequency, periphery", "efo"),
    Variable("efc", _LI, "float64", "Hz", "emission frequency, centre", "efc"),
    Variable("sta", _LI, "int32", None, "status code", "sta"),
    Variable("cfr", _LI, "float64", "1", "centre-to-periphery frequency ratio", "cfr"),
    Variable("dcr", _LI, "float64", "1", "detector channel ratio, first over sum", "dcr"),
    Variable("ext", _LIA, "float64", "m", "pattern size L", "ext"),
    Variable("gvy", _LI, "float64", "m", "galvo position y", "gvy"),
    Variable("gvx", _LI, "float64", "m", "galvo position x", "gvx"),
    Variable("eoy", _LI, "float64", "m", "EOD position y relative to galvo", "eoy"),
    Variable("eox", _LI, "float64", "m", "EOD position x relative to galvo", "eox"),
    Variable("dmz", _LI, "float64", "m", "deformable mirror z", "dmz"),
    Variable("lcy", _LI, "float64", "m", "localization y relative to beam centre", "lcy"),
    Variable("lcx", _LI, "float64", "m", "localization x relative to beam centre", "lcx"),
    Variable("lcz", _LI, "float64", "m", "localization z relative to beam centre", "lcz"),
    Variable("fbg", _LI, "float64", "Hz", "background frequency", "fbg"),
    Variable("sqi", _L, "uint32", None, "sequence index", "sqi"),
    Variable("gri", _L, "uint32", None, "grid index", "gri"),
    Variable("tim", _L, "float64", "s", "time since start of acquisition", "tim"),
    Variable("tid", _L, "int32", None, "trace id", "tid"),
    Variable("vld", _L, "bool", None, "localization passed its checks", "vld"),
    Variable("act", _L, "bool", None, "activation laser on", "act"),
    Variable("dos", _L, "int32", None, "digital output state", "dos"),
    Variable("sky", _L, "int32", None, "retries allowed (stickiness)", "sky"),
    Variable("fluo", _L, "uint8", None, "fluorophore number given by pyMINFLUX", "fluo"),
    Variable(
        "dcr_per_detector",
        (*_LI, "detector"),
        "float32",
        "1",
        "share of every detector channel",
        "dcr_per_detector",
    ),
    Variable("iteration_time", _LI, "float64", "s", "time since start of acquisition", "itr.tim"),
    Variable("thi", _L, "uint8", None, "thread index", "thi"),
    Variable("fnl", _L, "bool", None, "record completed its sequence", "fnl"),
    Variable("bot", _L, "bool", None, "record begins its trace", "bot"),
    Variable("eot", _L, "bool", None, "record ends its trace", "eot"),
    Variable("selected", _L, "bool", None, "localization passed all filters so far"),
    Variable("wash", _L, "int32", None, "number of the wash"),
    Variable(
        "position_registered",
        ("localization", "axis"),
        "float64",
        "m",
        "position in the frame of the reference wash",
    ),
    Variable(
        "registration_std",
        ("localization", "axis"),
        "float64",
        "m",
        "standard deviation of the registration",
    ),
    Variable(
        "position_drift_corrected", _LIA, "float64", "m", "position after correction of the drift"
    ),
    Variable("mask_registered", _L, "bool", None, "the beads tell the motion"),
    Variable(
        "position_bead_corrected",
        ("localization", "axis"),
        "float64",
        "m",
        "position corrected by the beads as Imspector does",
    ),
)

BEADS: tuple[Variable, ...] = (
    Variable("bead", ("bead",), "str", None, "bead name", "name"),
    Variable("gri", ("bead",), "uint32", None, "grid index, the bead's key", "gri"),
    Variable("used", ("bead",), "bool", None, "bead chosen for the correction", "used"),
    Variable("tim", ("bead", "sample"), "float64", "s", "time since start of acquisition", "tim"),
    Variable("position", ("bead", "sample", "axis"), "float64", "m", "bead position", "xyz"),
    Variable("str", ("bead", "sample"), "float64", "1", "signal strength, 0 for a failure", "str"),
)

_T = ("trace",)
_TA = ("trace", "axis")

TRACES: tuple[Variable, ...] = (
    Variable("tid", _T, "int32", None, "trace id", "tid"),
    Variable("n", _T, "int64", "1", "localizations in the trace"),
    Variable("centroid", _TA, "float64", "m", "mean position"),
    Variable("spread", _TA, "float64", "m", "standard deviation of the positions"),
    Variable("start", _T, "float64", "s", "time of the first localization"),
    Variable("end", _T, "float64", "s", "time of the last localization"),
    Variable("mean_time", _T, "float64", "s", "mean time of the localizations"),
)

ION_IMAGES: tuple[Variable, ...] = (
    Variable("counts", ("frame", "detector", "y", "x"), "uint32", "counts", "secondary ion counts"),
    Variable("frame", ("frame",), "int64", "1", "frame (plane, cycle) number"),
    Variable("detector", ("detector",), "str", None, "species, made unique"),
    Variable("label", ("detector",), "str", None, "species as stored, may repeat", "string"),
    Variable("mass", ("detector",), "float64", "u", "measured mass, 0 for electrons", "mass_amu"),
    Variable("trolley", ("detector",), "int64", None, "row in the trolley table", "trolley_index"),
    Variable("y", ("y",), "float64", "µm", "position of the pixel centre, downwards"),
    Variable("x", ("x",), "float64", "µm", "position of the pixel centre, to the right"),
    Variable("species", ("detector",), "str", None, "species with isotopes and charge"),
    Variable("dwell_time_s", ("detector",), "float64", "s", "dwell time of a pixel"),
    Variable("recorded", ("frame", "detector"), "bool", None, "every pixel was recorded"),
    Variable("plane", ("frame",), "int64", "1", "plane of the file that the frame is a part of"),
    Variable("series", ("frame",), "int64", "1", "series of the plane, counted from 0"),
    Variable("file", ("frame",), "int64", "1", "number of the file in attrs['files']"),
    Variable("covered", ("y", "x"), "bool", None, "a field covers the pixel"),
    Variable("exposure", ("y", "x"), "int64", "1", "frames that cover the pixel"),
    Variable("n_frames", (), "int64", "1", "frames in the sum"),
    Variable(
        "variance",
        ("frame", "detector", "y", "x"),
        "float64",
        "counts^2",
        "variance of secondary ion counts",
    ),
)


def by_name(variables: tuple[Variable, ...]) -> dict[str, Variable]:
    """Return a table of the data model keyed by our names."""
    return {variable.name: variable for variable in variables}


def localization_variable(source_name: str, dims: tuple[str, ...], dtype: str) -> Variable:
    """Return the variable for a field of a localization file; unknown fields keep their name."""
    for variable in LOCALIZATIONS:
        if variable.source_name == source_name:
            return variable
    return Variable(source_name, dims, dtype, None, f"field {source_name} of the file", source_name)
