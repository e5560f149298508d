"""The description of a structure."""

from __future__ import annotations

import pytest

from mfxarray.formats.im.structs import field, struct_of, unused


@pytest.mark.parametrize(
    ("text", "kind", "count", "nested"),
    [
        ("i4", "i4", 1, False),
        ("i2", "i2", 1, False),
        ("f8", "f8", 1, False),
        ("i4*10", "i4", 10, False),
        ("c64", "c", 64, False),
        ("Tab_elts*5", "Tab_elts", 5, True),
        ("Ap_primary_nano", "Ap_primary_nano", 1, True),
        ("PHD_Trolley_Nano_24*12", "PHD_Trolley_Nano_24", 12, True),
    ],
)
def test_types(text: str, kind: str, count: int, nested: bool) -> None:
    found = field("a", 4, text, "name", "V", "what")
    assert (found.kind, found.count, found.nested) == (kind, count, nested)


@pytest.mark.parametrize("text", ["i8", "", "c", "i4*", "*4", "i4 ", "f8*x"])
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no type of a field"):
        field("a", 0, text, "name")


def test_structures_keep_the_order_of_the_file() -> None:
    rows = [field("b", 0, "i4", "second"), unused("a", 4, "i4")]
    record = struct_of("Record", 8, 4, rows, "a note")
    assert list(record.fields) == ["b", "a"]
    assert record.fields["a"].name == ""
    assert record.note == "a note"
