"""Imports go downwards only, deferred ones included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mfxarray"

BASE = {"errors", "options", "schema", "provenance", "_version"}
# what each room may import besides itself and the base
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "options": set(),
    "schema": set(),
    "provenance": set(),
    "_version": set(),
    "kernels": set(),
    "formats": {"kernels"},
    "records": {"formats", "kernels", "stores"},
    "writers": {"formats", "kernels"},
    "chunked": {"kernels"},
    "minflux": {"chunked", "formats", "kernels"},
    "mims": {"chunked", "formats", "kernels", "opening", "records"},
    "assemble": {"formats", "records", "chunked"},
    "opening": {"assemble", "chunked", "formats", "records"},
    "engines": {"assemble", "formats", "opening"},
    "stores": {"chunked", "formats", "minflux", "writers"},
    "simulate": {"formats", "kernels", "writers"},
    "testing": set(),
    "accessors": {"minflux", "mims", "plot", "stores", "writers"},
    "plot": {"chunked", "minflux", "mims", "display"},
    "display": {"minflux", "mims"},
    "jobs": {"chunked", "kernels"},
    "demo": {
        "accessors",
        "jobs",
        "minflux",
        "mims",
        "opening",
        "plot",
        "simulate",
        "stores",
        "display",
    },
    "commands": {
        "accessors",
        "demo",
        "display",
        "formats",
        "jobs",
        "minflux",
        "mims",
        "opening",
        "plot",
        "simulate",
        "stores",
        "writers",
    },
    "cli": {"arguments", "commands", "display"},
    "arguments": set(),
    "__main__": {"cli"},
    "__init__": {"accessors"},
}
HEAVY = {"dask", "xarray", "distributed"}
WITHOUT = {
    "kernels": HEAVY,
    "formats": HEAVY,
    "chunked": {"xarray", "distributed"},
    "simulate": HEAVY,
    "records": {"distributed"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= (
                {f"{module}.{alias.name}" for alias in node.names}
                if module == "mfxarray"
                else {module}
            )
    return names


def test_every_room_has_its_place():
    assert {room_of(path) for path in FILES} == set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    room = room_of(path)
    names = imported(path)
    ours = {name.split(".")[1] for name in names if name.startswith("mfxarray.")}
    allowed = ALLOWED[room] | BASE | {room, "__version__"}
    assert ours <= allowed, f"{room} must not import {sorted(ours - allowed)}"
    others = {name.split(".")[0] for name in names}
    assert not others & WITHOUT.get(room, set())


def test_no_asserts_for_validation():
    for path in FILES:
        found = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)
        ]
        assert not found, f"{path}: assert in the package"
