"""Whatever has a public name says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mfxarray"
FILES = sorted(PACKAGE.rglob("*.py"))

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt], above: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield classes, functions and methods with public names, wherever a module defines them."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            if not is_overload(node):
                yield f"{above}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{above}{node.name}.")
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from public(node.body, above)
            yield from public(getattr(node, "orelse", []), above)


def is_overload(node: Definition) -> bool:
    # the function itself says what it does for all of its overloads
    return any(ast.unparse(one).split(".")[-1] == "overload" for one in node.decorator_list)


def without_docstring(text: str) -> list[str]:
    tree = ast.parse(text)
    found = [
        name for name, node in public(tree.body) if not (ast.get_docstring(node) or "").strip()
    ]
    return found if (ast.get_docstring(tree) or "").strip() else ["the module", *found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_names_have_docstrings(path):
    assert not without_docstring(path.read_text())


def test_that_it_sees_what_is_missing():
    text = '''
class Plain:
    """Text."""
    def method(self): ...
    def _own(self): ...
class _Inner:
    def method(self): ...
@overload
def both(x: int): ...
def both(x):
    """  """
if True:
    def hidden(): ...
def outer():
    """Text."""
    def nested(): ...
'''
    assert without_docstring(text) == ["the module", "Plain.method", "both", "hidden"]
