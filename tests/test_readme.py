"""The README: its two commands, its Python, its command line."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import mfxarray as mfx
from mfxarray.accessors import MfxAccessor, MimsAccessor
from mfxarray.cli import make_parser

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8") if README.is_file() else ""
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
PYTHON = [code for kind, code in BLOCKS if kind == "python"]
COMMANDS = re.findall(r"`(mfxarray [a-z][^`]*)`", TEXT)


def test_that_two_commands_do_all_the_setting_up():
    first, second = (code.strip() for kind, code in BLOCKS[:2] if kind == "bash")
    assert TEXT.index(second) < 500
    for command in (first, second):
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert first.endswith("mfxarray demo")
    assert second.endswith("-m pytest")
    assert '".[test]"' in second


ROOMS = {"mims", "minflux", "plot"}


@pytest.mark.parametrize("code", PYTHON)
def test_that_python_compiles(code: str):
    compile(code, "README.md", "exec")


@pytest.mark.parametrize("code", PYTHON)
def test_that_public_names_exist(code: str):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["_"])
            assert all(hasattr(module, name.name) for name in node.names)
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if isinstance(owner, ast.Name) and owner.id == "mfx":
            assert node.attr in (*mfx.__all__, *ROOMS)
        if isinstance(owner, ast.Attribute) and owner.attr in ROOMS - {"mims"}:
            assert hasattr(getattr(mfx, owner.attr), node.attr)
        if isinstance(owner, ast.Attribute) and owner.attr == "mfx":
            assert hasattr(MfxAccessor, node.attr)
        if isinstance(owner, ast.Attribute) and owner.attr == "mims":
            ours = isinstance(owner.value, ast.Name) and owner.value.id == "mfx"
            assert hasattr(mfx.mims if ours else MimsAccessor, node.attr)


def test_that_the_main_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mfx.simulate_minflux("run.npy", localizations=2000)
    mfx.simulate_mims("stack.im", frames=4, size=64)
    names: dict[str, object] = {}
    exec(compile(PYTHON[0], "README.md", "exec"), names)
    assert mfx.open_zarr("run.zarr").sizes["localization"] > 1000
    assert mfx.open_parquet("traces.parquet").sizes["trace"] > 100
    assert names["image"].dims == ("detector", "y", "x")  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_that_commands_parse(command: str):
    words = shlex.split(command.replace(" N", " 3"))[1:]
    if words in (["demo"], ["COMMAND", "--help"]):
        return
    assert make_parser().parse_args(words).handler


def test_that_every_command_is_described():
    shown = {command.split()[1] for command in COMMANDS}
    actions = make_parser()._subparsers._group_actions  # type: ignore[union-attr]
    assert set(actions[0].choices) <= shown  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "CITATION.cff"])
def test_that_named_files_are_there(name: str):
    assert f"`{name}`" in TEXT
    assert (ROOT / name).stat().st_size > 200


def test_that_versions_agree():
    assert f"\nversion: {mfx.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {mfx.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
