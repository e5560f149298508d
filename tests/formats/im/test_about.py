"""Meaning and original names of what a header holds."""

from __future__ import annotations

import pytest

from mfxarray.formats.im.about import ROOT, about, record_of, vendor_tree


@pytest.mark.parametrize(
    ("kind", "release", "mask", "mass"),
    [
        (27, 11, "Mask_im_old", "Tab_mass"),
        (27, 4108, "Mask_im_v4108", "Tab_mass"),
        (41, 4108, "Mask_iss", "Tab_mass"),
        (26, 4108, "Mask_dp_v4108", "Tab_mass"),
        (25, 4108, "Mask_scan", "Tab_mass_scan"),
        (40, 4108, None, None),
    ],
)
def test_records_of_types(kind: int, release: int, mask: str | None, mass: str | None) -> None:
    tree = {"definition": {"analysis_type": kind, "file_release": release}}
    assert record_of(tree, "mask") == mask
    assert record_of(tree, "masses") == mass


@pytest.mark.parametrize(
    ("version", "record"), [(8, "Tab_BField_nano_v8"), (11, "Tab_BField_nano"), (None, None)]
)
def test_b_fields_of_versions(version: int | None, record: str | None) -> None:
    tree = {"scan": {"version": version}}
    assert record_of(tree, "b_fields") == (record or "Tab_BField_nano")


def test_meanings() -> None:
    field = about("Ap_primary_nano", "raster")
    assert field is not None
    assert (field.original, field.unit) == ("raster", "µm")
    assert about(ROOT, "definition") is not None
    assert about(ROOT, "stage_x") is None
    assert about(None, "stage_x") is None
    assert about("Tab_Trolley_nano_208", "row") is not None
    assert about("Poly_list", "species") is not None


def test_vendor_names_are_nested() -> None:
    tree = {
        "byte_order": "<",
        "definition": {"analysis_type": 27, "file_release": 9, "stage_x": 1},
        "masses": [{"mass": 12.0, "species": {"elements": [{"atomic_number": 6}]}}],
        "strange": {"a": [1, {"b": 2}]},
    }
    assert vendor_tree(tree, ROOT) == {
        "byte_order": "<",
        "Def_analysis": {"analysis_type": 27, "release": 9, "sple_pos_x": 1},
        "Tab_mass": [{"mass_amu": 12.0, "poly": {"tab_elts": [{"num_elt": 6}]}}],
        "strange": {"a": [1, {"b": 2}]},
    }
