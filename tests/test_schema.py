"""The data model does not clash with xarray and matches the vendor's records."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.schema import (
    AXES,
    BEADS,
    CFR_NOT_MEASURED,
    ION_IMAGES,
    LOCALIZATIONS,
    TRACES,
    Variable,
    by_name,
    localization_variable,
)

ALL = (LOCALIZATIONS, BEADS, TRACES, ION_IMAGES)
VENDOR = record_dtype(5)


@pytest.mark.parametrize("variables", ALL)
def test_names_are_free(variables: tuple[Variable, ...]) -> None:
    taken = set(dir(xr.Dataset))
    assert not [variable.name for variable in variables if variable.name in taken]


@pytest.mark.parametrize("variables", ALL)
def test_names_are_unique(variables: tuple[Variable, ...]) -> None:
    assert len(by_name(variables)) == len(variables)


@pytest.mark.parametrize("variables", ALL)
def test_attrs_are_json_and_types_are_known(variables: tuple[Variable, ...]) -> None:
    for variable in variables:
        attrs = variable.attrs()
        assert json.loads(json.dumps(attrs)) == attrs
        assert None not in attrs.values()
        np.dtype(variable.dtype)
        assert len(set(variable.dims)) == len(variable.dims)


def test_every_field_of_the_vendor_is_known() -> None:
    nested = VENDOR["itr"].base
    known = {variable.source_name: variable for variable in LOCALIZATIONS}
    fields = [*nested.names, *(name for name in VENDOR.names if name != "itr")]
    for name in fields:
        variable = known.pop(name)
        inside = name in nested.names
        dtype = nested[name] if inside else VENDOR[name]
        assert np.dtype(variable.dtype) == dtype.base
        expected = ("localization", *(("iteration",) if inside else ()))
        assert variable.dims == expected + (("axis",) if dtype.shape == (3,) else ())
    # pyMINFLUX adds one, we add "selected", the others are those of flat records
    flat = {"thi", "fnl", "bot", "eot", "itr.tim", "dcr_per_detector"}
    assert set(known) == {"fluo", None} | flat
    assert flat - {"itr.tim", "dcr_per_detector"} <= set(flat_record_dtype().names)


def test_order_is_that_of_the_file() -> None:
    order = [variable.source_name for variable in LOCALIZATIONS]
    order = order[: order.index("fluo")]
    nested = list(VENDOR["itr"].base.names)
    assert order[: len(nested)] == nested
    assert [name for name in order[len(nested) :] if name] == list(VENDOR.names)[1:]


def test_sentinel_is_exact() -> None:
    assert CFR_NOT_MEASURED == -3.0517578125e-05 == float(np.float16(CFR_NOT_MEASURED))


def test_lookup() -> None:
    assert localization_variable("loc", (), "").name == "position"
    assert localization_variable("lnc", (), "").name == "position_uncorrected"
    unknown = localization_variable("new", ("localization",), "float32")
    assert (unknown.name, unknown.dims, unknown.dtype) == ("new", ("localization",), "float32")
    assert AXES == ("x", "y", "z")
