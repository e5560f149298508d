"""The header as people meet it."""

from __future__ import annotations

import copy
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.im.layout import STRUCTS
from mfxarray.formats.im.places import KINDS
from mfxarray.mims.header import MimsHeader, header_of, read_mims_header
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import random_content


@pytest.fixture
def header(tmp_path: Path) -> MimsHeader:
    content = random_content(random.Random(3), 27, 9)
    content["definition"] |= {"stage_x": 12, "user": "Ada"}
    content["masses"][0]["species"] |= {"label": "12C"}
    raw = header_from(content, analysis_type=27, version=9, order="<")
    (tmp_path / "a.im").write_bytes(raw)
    return read_mims_header(tmp_path / "a.im")


def test_items_and_attributes_are_the_same(header: MimsHeader) -> None:
    assert header.definition.stage_x == header["definition"]["stage_x"] == 12
    assert header.masses[0].species.label == "12C"
    assert isinstance(header.masses, tuple)
    assert header.analysis_kind == "image"
    assert "stage_x" in header.definition
    assert len(header.definition) == len(list(header.definition))


def test_missing_fields_are_named(header: MimsHeader) -> None:
    with pytest.raises(AttributeError, match=r"no colour; it has file_release, "):
        header.definition.colour  # noqa: B018
    with pytest.raises(KeyError):
        header["nothing"]
    assert header.definition.get("colour") is None
    assert not hasattr(header, "_ipython_canary_method_should_not_exist_")


def test_completion_knows_the_fields(header: MimsHeader) -> None:
    assert {"definition", "to_dict", "original"} <= set(dir(header))
    assert "stage_x" in dir(header.definition)


def test_plain_dict_is_json_and_apart(header: MimsHeader) -> None:
    plain = header.to_dict()
    assert json.loads(json.dumps(plain)) == plain == header
    plain["definition"]["stage_x"] = 0
    assert header.definition.stage_x == 12


def test_original_names(header: MimsHeader) -> None:
    original = header.original
    assert original["Def_analysis"]["sple_pos_x"] == 12
    assert original["Tab_mass"][0]["poly"]["string"] == "12C"
    assert "Mask_im_v4108" in original
    name = "Tab_BField_nano_v9"
    assert original[name][0]["count_us_per_pixel"] == header.b_fields[0].dwell_time
    assert original[name][0]["trolleys"][0]["amu"] == header.b_fields[0].trolleys[0].mass
    assert header.definition.original["username"] == "Ada"


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("version", [2, 10])
def test_every_field_has_an_original_name(tmp_path: Path, kind: int, version: int) -> None:
    content = random_content(random.Random(1), kind, version)
    raw = header_from(content, analysis_type=kind, version=version, order="<")
    (tmp_path / "a").write_bytes(raw)
    header = read_mims_header(tmp_path / "a")
    unknown = {"byte_order", "analysis_kind", "warnings"}
    assert {name for name in header.original if name not in STRUCTS} == unknown

    def walk(record: Any) -> int:
        count = 0
        for name, value in record.items():
            known = record.about(name)
            assert known is not None, name
            assert known.meaning, name
            rows = value if isinstance(value, tuple) else (value,)
            for row in rows:
                count += walk(row) if isinstance(row, Mapping) else 1
        return count

    assert walk(header) > 300


def test_fields_do_not_hide_methods() -> None:
    names = {field.name for record in STRUCTS.values() for field in record.fields.values()}
    names |= {"definition", "mask", "masses", "scan", "b_fields", "parameters", "sample", "row"}
    assert not names & set(dir(MimsHeader({})))


def test_unit_and_meaning(header: MimsHeader) -> None:
    about = header.definition.about("stage_x")
    assert about is not None
    assert (about.unit, about.original) == ("µm", "sple_pos_x")
    assert header.definition.about("nothing") is None
    assert header.about("masses") is not None


def test_copies(header: MimsHeader) -> None:
    assert pickle.loads(pickle.dumps(header)) == header
    assert copy.copy(header) == header
    assert copy.deepcopy(header) == header
    assert header != {"a": 1}
    assert header != 3


def test_short_text(header: MimsHeader) -> None:
    assert repr(header).startswith("<MimsHeader: header of 'image', ")
    assert repr(header.definition).startswith("<MimsHeader: Def_analysis, 12 entries")
    assert len(repr(header)) < 400


# --- from a file --------------------------------------------------------------------------------


@pytest.mark.realdata
def test_real_file(data_dir: Path) -> None:
    header = read_mims_header(data_dir / "mims" / "image sun.im")
    assert header.sample.sample == "G6"
    assert header.original["Def_analysis_bis"]["sample_name"] == "G6"
    assert header.parameters.primary.original["raster"] == 7.011826544021025
    assert header.warnings == ()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        read_mims_header(tmp_path / "none.im")


def test_needs_no_arrays() -> None:
    code = (
        "import sys; sys.argv = ['mfxarray']; import mfxarray.mims.header; "
        "print([m for m in ('xarray', 'dask', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- from attributes -----------------------------------------------------------------------------


def test_from_attributes(header: MimsHeader) -> None:
    assert header_of({"header": json.dumps(header.to_dict())}) == header


@pytest.mark.parametrize("attrs", [{}, {"header": 3}, {"header": None}])
def test_attributes_without_a_header(attrs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="carry no header"):
        header_of(attrs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"definition": 3}',
        '{"definition": ' + '{"a":' * 20 + "1" + "}" * 21,
        "[" * 100_000,
        '{"definition": ' * 100_000,
        '{"definition": {"a": ' + "[" * 900 + "]" * 900 + "}}",
    ],
)
def test_attributes_that_are_no_header(text: str) -> None:
    with pytest.raises(DataError, match="the attribute header"):
        header_of({"header": text})


def test_attributes_too_long() -> None:
    with pytest.raises(DataError, match="characters"):
        header_of({"header": " " * (16 * 2**20 + 1)})


def test_attributes_of_another_program() -> None:
    # whatever stands there is shown, nothing is looked up that is not known
    text = '{"definition": {"analysis_type": "x", "stage_x": [1, {"a": null}]}, "scan": {}}'
    header = header_of({"header": text})
    assert header.original["Def_analysis"]["sple_pos_x"][1] == {"a": None}
    assert "stage_x" in header._repr_html_()


KEYS = ("analysis_type", "file_release", "version", "species", "label", "row", "elements", "<b>")
PLAIN = st.none() | st.booleans() | st.integers(-1, 60) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN,
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=3)
    ),
    max_leaves=6,
)
RECORDS = ("mask", "masses", "scan", "b_fields", "parameters", "image", "anything")


@given(
    definition=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    others=st.dictionaries(st.sampled_from(RECORDS), VALUES, max_size=4),
)
def test_any_json_is_shown(definition: dict[str, Any], others: dict[str, Any]) -> None:
    header = header_of({"header": json.dumps({"definition": definition, **others})})
    assert header._repr_html_().endswith("</div>")
    assert set(header.to_dict()) == {"definition", *others}
    assert repr(header)
    assert "Def_analysis" in header.original
