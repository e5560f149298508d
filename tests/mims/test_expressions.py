"""Formulas: names with blanks and digits, Python's precedence, exact slopes, nothing evaluated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.mims.expressions import evaluate, names_in, parse

NAMES = ["12C", "13C", "12C 14N", "12C 15N", "31P", "SE", "28Si-", "12"]
VALUES = {"12C": 300.0, "13C": 7.0, "12C 14N": 90.0, "12C 15N": 2.0, "31P": 11.0, "28Si-": 5.0}
COUNTS = {name: np.array(value) for name, value in VALUES.items()} | {"12": np.array(4.0)}


def value(text):
    return float(evaluate(parse(text, NAMES), COUNTS)[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("13C/(12C+13C)", 7 / 307),
        ("12C 15N/12C 14N", 2 / 90),
        ("12C   14N / 12C", 90 / 300),
        ("'12C 14N' * 2", 180),
        ('"28Si-" - 13C', -2),
        ("1e2*13C/12C", 100 * 7 / 300),
        (".5*13C - 2.*31P", 3.5 - 22),
        ("13C-12C-31P", 7 - 300 - 11),
        ("12C/13C/31P", 300 / 7 / 11),
        ("13C+31P*2", 29),
        ("-13C**2", -49),
        ("(-13C)**2", 49),
        ("13C**-1", 1 / 7),
        ("13C**.5", 7**0.5),
        ("2*-13C", -14),
        ("--13C", 7),
        ("+13C", 7),
        ("13C**0", 1),
        ("12 * 13C", 84),
        ("'12' * 13C", 28),
    ],
)
def test_values(text, wanted):
    assert value(text) == pytest.approx(wanted, rel=1e-15)


def test_names_come_once_in_order():
    assert names_in(parse("13C/(12C+13C)", NAMES)) == ["13C", "12C"]
    assert names_in(parse("12C 14N + 12C", NAMES)) == ["12C 14N", "12C"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where"),
        ("13C +", "ends where"),
        ("(13C", "ends where '\\)'"),
        ("13C)", "expected an operator instead of '\\)' at character 4"),
        ("13C 12C", "expected an operator instead of '12C'"),
        ("13D", "cannot read '13D'"),
        ("'13D'", "no detector '13D'"),
        ("13C ^ 2", "cannot read '\\^ 2'"),
        ("13C ** 12C", "a number as the exponent"),
        ("13C ** 2 ** 3", "parentheses"),
        ("13C ** (2)", "a number as the exponent"),
        ("1 + 2", "names no detector"),
        ("__import__('os')", "cannot read"),
        ("13C.real", "cannot read"),
        ("13C[0]", "cannot read"),
        ("f(13C)", "cannot read"),
        ("(" * 60 + "13C" + ")" * 60, "nested deeper"),
        ("-" * 60 + "13C", "nested deeper"),
        ("13C+" * 200 + "13C", "500 characters"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text, NAMES)


@given(st.text(alphabet="123C4N() +-*/.'\"eE_", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        tree = parse(text, NAMES)
    except ValueError:
        return
    with np.errstate(all="ignore"):
        evaluate(tree, COUNTS)


NUMBERS = st.floats(0.5, 3).map(lambda number: f"{number:.3f}")
LEAVES = st.one_of(st.sampled_from(["12C", "13C", "12C 14N", "31P"]), NUMBERS)
FORMULAS = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from("+-*/"), part).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(part, st.sampled_from(["2", "-1", "0.5"])).map(lambda p: f"({p[0]})**{p[1]}"),
        part.map(lambda p: f"(-{p})"),
    ),
    max_leaves=8,
)


# longest first, so that "12C" does not replace a part of "12C 14N"
LETTERS = dict(zip(sorted(VALUES, key=len, reverse=True), "abcdefg", strict=False))


def python_value(text, moved=None):
    """Return what Python makes of a formula, one count moved a little along the imaginary axis."""
    for name, letter in LETTERS.items():
        text = text.replace(name, letter)
    counts = {letter: np.clongdouble(VALUES[name]) for name, letter in LETTERS.items()}
    if moved is not None:
        counts[LETTERS[moved]] += 1e-20j
    return eval(text, {}, counts)


@given(FORMULAS)
@settings(max_examples=150, deadline=None)
def test_values_are_pythons_and_slopes_exact(text):
    if not any(name in text for name in VALUES):
        return
    with np.errstate(all="ignore"):
        found, slopes = evaluate(parse(text, NAMES), COUNTS)
        try:
            wanted = python_value(text)
        except ZeroDivisionError:
            return
        if wanted.imag or not 1e-6 < abs(found) < 1e9:
            return
        assert found == pytest.approx(float(wanted.real), rel=1e-9, abs=1e-9)
        for name, slope in slopes.items():
            # such a step gives slopes without cancellation
            exact = float(python_value(text, name).imag / 1e-20)
            if abs(exact) < 1e9:
                assert float(slope) == pytest.approx(exact, rel=1e-6, abs=1e-6)
