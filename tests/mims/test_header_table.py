"""The header in a web page: complete, readable, and harmless."""

from __future__ import annotations

import random
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mfxarray.mims.header import MimsHeader, read_mims_header
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import random_content

HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror='a()'>", "</td></table><b>", "&lt;"]


class Page(HTMLParser):
    """Collects tags, attributes and text, and that every tag is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def page(header: MimsHeader) -> Page:
    found = Page()
    found.feed(header._repr_html_())
    found.close()
    assert not found.open
    return found


def read(folder: Path, kind: int = 27, **texts: str) -> MimsHeader:
    content = random_content(random.Random(2), kind, 10)
    content["parameters"]["comment"] = texts.get("comment", "")
    content["definition"]["user"] = texts.get("user", "")
    content["masses"][0]["species"]["label"] = texts.get("label", "")
    content["sample"]["sample"] = texts.get("sample", "")
    raw = header_from(content, analysis_type=kind, version=10, order="<")
    (folder / "a").write_bytes(raw)
    return read_mims_header(folder / "a")


@pytest.mark.parametrize("kind", [21, 25, 26, 27, 41])
def test_every_value_is_in_the_page(tmp_path: Path, kind: int) -> None:
    header = read(tmp_path, kind, comment="a comment", sample="wafer 3")
    cells = page(header).cells
    assert {"a comment", "wafer 3", "sple_pos_x", "stage_x", "µm"} <= set(cells)
    assert str(header.definition.stage_x) in cells
    assert str(header.scan.baseline_points) in cells


def test_records_are_closed_blocks(tmp_path: Path) -> None:
    found = page(read(tmp_path, label="12C 14N"))
    assert {"details", "summary", "table", "td"} <= found.tags
    assert "open" not in found.attributes
    assert any(cell.startswith("masses 0 · 12C 14N · ") for cell in found.cells)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(tmp_path: Path, text: str) -> None:
    header = read(tmp_path, comment=text, user=text[:15], label=text, sample=text)
    found = page(header)
    harmless = {"div", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert found.tags <= harmless
    assert found.attributes <= {"class", "style"}
    assert text in found.cells


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    header = MimsHeader({"definition": {text: text}, text: {"a": [text]}, "masses": [{text: text}]})
    found = page(header)
    assert found.tags <= {"div", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    assert found.attributes <= {"class", "style"}


def test_long_texts_and_lists_are_cut() -> None:
    header = MimsHeader({"definition": {"user": "x" * 10**6}, "masses": [{"a": 1}] * 5000})
    text = header._repr_html_()
    assert len(text) < 200_000
    assert "and 4800 more" in text


def test_deep_records_end() -> None:
    deep: dict[str, object] = {"end": "bottom"}
    for _ in range(300):
        deep = {"inside": deep}
    assert "bottom" not in MimsHeader({"definition": deep})._repr_html_()


@pytest.mark.realdata
def test_page_of_a_real_file(data_dir: Path) -> None:
    text = read_mims_header(data_dir / "mims" / "OR1d6m_15.im.hdr")._repr_html_()
    assert len(text) < 200_000
    assert "16O" in text
