"""Decimal text to doubles; the oracle is Python's float()."""

from __future__ import annotations

import random
import struct
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from mfxarray.kernels.json.numbers import parse_decimals
from mfxarray.kernels.json.powers import BINARY_EXPONENT, HIGH, LOW, SMALL_POWERS, SMALLEST


def compare(texts: list[str], most_unsure: float = 0.0) -> None:
    """Check that sure values have the bits of float(), and that few are unsure."""
    values, sure = parse_decimals("".join(text + "\n" for text in texts).encode())
    expected = np.array([float(text) for text in texts])
    wrong = np.flatnonzero(sure & (values.view(np.uint64) != expected.view(np.uint64)))
    assert not wrong.size, [texts[index] for index in wrong[:5]]
    unsure = [text for text, known in zip(texts, sure, strict=True) if not known]
    assert len(unsure) <= most_unsure * len(texts), unsure[:5]


def random_doubles(count: int, seed: int) -> list[float]:
    rng = random.Random(seed)
    found = (struct.unpack("<d", rng.randbytes(8))[0] for _ in range(count))
    return [value for value in found if abs(value) < float("inf")]


@pytest.mark.parametrize("notation", ["{!r}", "{:.16e}", "{:.17g}", "{:.3g}", "{:.18e}", "{:E}"])
def test_random_bits(notation):
    # denormals, about one in 2000, and nothing else is left to Python
    compare([notation.format(value) for value in random_doubles(30_000, 1)], 0.002)


def test_more_digits_than_fit():
    compare([f"{value:.30e}" for value in random_doubles(20_000, 2)], 0.02)


def test_fixed_notation_of_any_length():
    rng = random.Random(3)
    texts = [
        f"{rng.uniform(-10, 10) * 10.0 ** rng.randint(-30, 30):.{rng.randint(0, 60)}f}"
        for _ in range(20_000)
    ]
    compare(texts, 0.02)


def test_positions_and_times_as_files_have_them():
    rng = random.Random(4)
    texts = [repr(rng.uniform(-1e-5, 1e-5)) for _ in range(50_000)]
    texts += [repr(25e-9 * rng.randrange(10**12)) for _ in range(20_000)]
    texts += [repr(float(np.float32(rng.uniform(0, 1e6)))) for _ in range(20_000)]
    compare(texts)


def test_integers_with_exponents():
    rng = random.Random(5)
    texts = [f"{rng.getrandbits(64)}e{rng.randint(-345, 310)}" for _ in range(20_000)]
    compare(texts, 0.05)
    compare([str(rng.getrandbits(rng.randint(1, 64))) for _ in range(20_000)])


def test_halfway_cases_and_their_neighbours():
    rng = random.Random(6)
    texts = []
    with localcontext() as context:
        context.prec = 1200
        for _ in range(3000):
            below = rng.uniform(1, 2) * 2.0 ** rng.randint(-60, 60)
            half = (Decimal(below) + Decimal(float(np.nextafter(below, np.inf)))) / 2
            texts += [f"{half:f}", f"{half * (1 + Decimal(10) ** -40):f}"]
            texts += [f"{half * (1 - Decimal(10) ** -40):f}", f"{half:.17e}", f"{half:.18e}"]
    compare(texts, 0.9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("-0.0", -0.0),
        ("1e999", float("inf")),
        ("-1e999", float("-inf")),
        ("1e-999", 0.0),
        ("1e99999999999999999999", float("inf")),
        ("1e-99999999999999999999", 0.0),
        ("0e99999999999999999999", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("1.7976931348623159e308", float("inf")),
        ("1" + "0" * 400 + "e-400", 1.0),
        ("0." + "0" * 300 + "1e301", 1.0),
        ("9007199254740992", 2.0**53),
        ("9007199254740993", 2.0**53),
        ("9007199254740994", 2.0**53 + 2),
        ("9007199254740993.00000000000000000001", 2.0**53 + 2),
        ("18446744073709551615", 2.0**64),
        ("18446744073709551616", 2.0**64),
        ("1E5", 1e5),
        ("1e+05", 1e5),
    ],
)
def test_edges(text, expected):
    values, sure = parse_decimals(f"{text}\n".encode())
    assert struct.pack("<d", float(text)) == struct.pack("<d", expected)
    if sure[0]:
        assert struct.pack("<d", values[0]) == struct.pack("<d", expected)
    else:
        assert text.startswith("9007199254740993")


@pytest.mark.parametrize("text", ["5e-324", "2.2250738585072011e-308", "9007199254740993.0"])
def test_that_denormals_and_ties_are_left_to_python(text):
    assert not parse_decimals(f"{text}\n".encode())[1][0]


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1.e5", "0x10", "1 2", "1_0"),
        *("1,5", "nan", "inf", "1" * 1001, "--1", "1e5.5", "1-", "\u0661"),
    ],
)
def test_what_is_no_number_of_json(text):
    assert not parse_decimals(f"{text}\n7\n".encode())[1][0]


def test_that_a_bad_line_does_not_disturb_the_next():
    values, sure = parse_decimals(b"x\n1.5\n\n2e3\n1.5x\n-4\n")
    assert sure.tolist() == [False, True, False, True, False, True]
    assert values[sure].tolist() == [1.5, 2000.0, -4.0]


def test_the_table_against_fractions():
    for entry in range(len(HIGH)):
        significand = (int(HIGH[entry]) << 64) + int(LOW[entry])
        assert significand.bit_length() == 128
        scale = Fraction(2) ** (int(BINARY_EXPONENT[entry]) - 127)
        exact = Fraction(10) ** (SMALLEST + entry)
        assert significand * scale <= exact < (significand + 1) * scale
    assert [int(power) for power in SMALL_POWERS] == [10**power for power in range(23)]
