"""Splitting and parsing of JSON records; the oracle is Python's json."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from mfxarray.kernels.json.records import BOOL, FLOAT, FLOAT32, INTEGER, TEXT, parse_records
from mfxarray.kernels.json.split import (
    BROKEN,
    DEEP,
    FULL,
    LIST_END,
    MORE,
    RECORD,
    RECORD_OR_END,
    SEPARATOR,
    skip_nested,
    split_records,
)

FIRST = {"a": 1.5, "n": 3, "ok": True, "loc": [1.0, 2.0], "txt": "x", "f": 0.5}
KINDS = [FLOAT, INTEGER, BOOL, FLOAT, FLOAT, TEXT, FLOAT32]
LOWS, HIGHS = [0, -5, 0, 0, 0, 0, 0], [0, 255, 0, 0, 0, 0, 0]
PARTS = ['{"a":', ',"n":', ',"ok":', ',"loc":[', ",", '],"txt":', ',"f":', "}"]
TOKENS = [["{", '"a"', ":"], [",", '"n"', ":"], [",", '"ok"', ":"], [",", '"loc"', ":", "["]]
TOKENS += [[","], ["]", ",", '"txt"', ":"], [",", '"f"', ":"], ["}"]]


def as_text(content: str) -> np.ndarray:
    return np.frombuffer(bytearray(content.encode() + b"\0"), np.uint8)


def split(content: str, expected: int = RECORD_OR_END, places: int = 100, depth: int = 64):
    starts, ends = np.empty((2, places), np.int64)
    found = split_records(as_text(content), 0, expected, depth, starts, ends)
    count, at, expected, reason = found
    data = content.encode()
    records = [data[starts[i] : ends[i]].decode() for i in range(count)]
    return records, at, expected, reason


def parse(*records: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values as floats and as integers, shape (record, value), and which deviate."""
    assert ["".join(tokens) for tokens in TOKENS] == PARTS
    literal = "".join(PARTS).encode()
    loose = b"".join(b"\1" + bytes(len(t) - 1) for tokens in TOKENS for t in tokens)
    stops = np.cumsum([len(part) for part in PARTS[:-1]])
    sizes = [len(record.encode()) for record in records]
    ends = np.cumsum(sizes)
    width = len(KINDS)
    floats = np.full(len(records) * width, 77.0)
    deviates = parse_records(
        as_text("".join(records)),
        ends - sizes,
        ends,
        np.arange(len(records)),
        np.frombuffer(literal, np.uint8),
        np.frombuffer(loose, np.uint8),
        stops,
        np.array(KINDS),
        np.array(LOWS),
        np.array(HIGHS),
        np.arange(width),
        np.full(width, width),
        floats,
        floats.view(np.int64),
    )
    shape = (len(records), width)
    return floats.reshape(shape), floats.view(np.int64).reshape(shape), deviates


def changed(**changes) -> str:
    return json.dumps({**FIRST, **changes})


def test_values_of_one_record():
    floats, integers, deviates = parse(json.dumps(FIRST))
    assert not deviates.any()
    assert floats[0, [0, 3, 4, 6]].tolist() == [1.5, 1.0, 2.0, 0.5]
    assert integers[0, [1, 2]].tolist() == [3, 1]


@pytest.mark.parametrize("settings", [{}, {"indent": 2}, {"indent": "\t"}])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\r\n", "\t: ")])
def test_white_space_does_not_matter(settings, separators):
    floats, _, deviates = parse(json.dumps(FIRST, separators=separators, **settings))
    assert not deviates[0]
    assert floats[0, 4] == 2.0


def test_tokens():
    text = changed(a=float("nan"), loc=[float("inf"), float("-inf")], f=None, ok=False)
    floats, integers, deviates = parse(text)
    assert not deviates[0]
    assert np.isnan(floats[0, [0, 6]]).all()
    assert floats[0, 3:5].tolist() == [np.inf, -np.inf]
    assert integers[0, 2] == 0


@pytest.mark.parametrize("value", ["", "a b", 5, -1.5e300, None, True, False, float("nan")])
def test_dropped_values_may_be_anything_plain(value):
    assert not parse(changed(txt=value))[2][0]


def test_signs_of_zero_are_those_of_json():
    text = json.dumps(FIRST).replace("1.5", "-0.0").replace("2.0", "-0")
    floats, _, _ = parse(text)
    record = json.loads(text)
    assert np.signbit(floats[0, 0])
    assert np.signbit(floats[0, 4]) == np.signbit(float(record["loc"][1])) == np.False_


@pytest.mark.parametrize(
    ("written", "value"), [("3.0", 3), ("2e2", 200), ("-5", -5), ("0.5e1", 5), ("-0.0", 0)]
)
def test_integers_in_other_notations(written, value):
    _, integers, deviates = parse(json.dumps(FIRST).replace('"n": 3', f'"n": {written}'))
    assert not deviates[0]
    assert integers[0, 1] == value


@pytest.mark.parametrize("flag", ["1", "0"])
def test_flags_as_numbers(flag):
    _, integers, deviates = parse(json.dumps(FIRST).replace("true", flag))
    assert not deviates[0]
    assert integers[0, 2] == int(flag)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"n": 3', '"n": 3.5'),
        ('"n": 3', '"n": 256'),
        ('"n": 3', '"n": -6'),
        ('"n": 3', '"n": 99999999999999999999'),
        ('"n": 3', '"n": null'),
        ('"n": 3', '"n": NaN'),
        ('"n": 3', '"n": true'),
        ('"n": 3', '"n": 03'),
        ('"n": 3', '"n": 1e400'),
        ("true", "True"),
        ("true", "null"),
        ("true", "2"),
        ("true", "10"),
        ("1.5", "nan"),
        ("1.5", "+1.5"),
        ("1.5", "1.5.5"),
        ("1.5", "Infinityx"),
        ("1.5", "-NaN"),
        ("1.5", '"1.5"'),
        ("1.5", "5e-324"),
        ("0.5", "1e300"),
        ("0.5", "-1e300"),
        ('"x"', '"x\\n"'),
        ('"x"', '"\u00e9"'),
        ('"x"', "[5]"),
        ('"x"', "{}"),
        ('"x"', "05"),
        ('"x"', "nul"),
        ('"x"', "-"),
        ('"x"', '"x'),
        ('"x"', '"x\t"'),
        ("[1.0, 2.0]", "[1.0]"),
        ("[1.0, 2.0]", "[1.0, 2.0, 3.0]"),
        ('"a"', '"b"'),
        ('"a"', '"a "'),
        ('"a"', '"\\u0061"'),
        ("}", ', "more": 1}'),
        ("}", ",}"),
        ('"a": 1.5, ', ""),
        ('"a": 1.5, "n": 3', '"n": 3, "a": 1.5'),
        ('"a":', '"a"'),
    ],
)
def test_what_is_left_to_the_slow_reader(old, new):
    text = json.dumps(FIRST)
    assert old in text
    _, _, deviates = parse(text, text.replace(old, new, 1), text)
    assert deviates.tolist() == [False, True, False]


def test_that_flips_never_pass_with_other_values():
    rng = random.Random(0)
    text = json.dumps(FIRST)
    passed = 0
    for _ in range(3000):
        bytes_ = bytearray(text.encode())
        bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(7)
        flipped = bytes_.decode()
        floats, integers, deviates = parse(flipped)
        if deviates[0]:
            continue
        passed += 1
        record = json.loads(flipped)
        assert list(record) == list(FIRST)
        expected = [record["a"], *record["loc"], record["f"]]
        np.testing.assert_array_equal(floats[0, [0, 3, 4, 6]], np.array(expected, np.float64))
        assert integers[0, [1, 2]].tolist() == [record["n"], record["ok"]]
    assert passed > 50


def test_records_of_a_list():
    records = ['{"a": "}]{[", "b": [1, {"c": 2}]}', "{}", '{"q": "\\"}"}', '{"e": "\\\\"}']
    found, at, _, reason = split(" " + " ,\n".join(records) + " ] tail")
    assert (found, reason) == (records, LIST_END)
    assert at == len(" " + " ,\n".join(records) + " ]")


def test_empty_list_and_trailing_comma():
    assert split("  ]")[3] == LIST_END
    assert split("{}, ]")[0::3] == (["{}"], BROKEN)


@pytest.mark.parametrize("content", ["{}{}]", "5]", "{} 5", ",{}", '"a"]', "[{}]]", "x"])
def test_what_is_no_list_of_records(content):
    assert split(content)[3] == BROKEN


def test_that_a_list_can_be_split_at_any_place():
    records = ['{"a": "}\\\\\\"]{["}', '{"b": [1, 2]}', "{}"]
    content = ", ".join(records) + "]"
    for cut in range(len(content) + 1):
        found, at, expected, reason = split(content[:cut])
        assert reason == (LIST_END if cut == len(content) else MORE)
        rest = split(content[at:], expected) if reason == MORE else ([], 0, 0, LIST_END)
        assert found + rest[0] == records
        assert rest[3] == LIST_END


def test_states_between_records():
    assert split("{}")[2:] == (SEPARATOR, MORE)
    assert split("{}, ")[2:] == (RECORD, MORE)
    assert split("]", RECORD)[3] == BROKEN


def test_that_places_run_out():
    found, at, expected, reason = split("{}, {}, {}]", places=2)
    assert (len(found), at, expected, reason) == (2, len("{}, {}, "), RECORD, FULL)


def test_depth():
    assert split('{"a": ' + "[" * 3 + "]" * 3 + "}]", depth=4)[3] == LIST_END
    assert split('{"a": ' + "[" * 4 + "]" * 4 + "}]", depth=4)[3] == DEEP


def test_zero_bytes_do_not_end_a_text_early():
    for content in ('{"a": "\0"}]', '{"a\\\0": 1}]', "\0{}]", '{"a": \0}]', "{}\0]"):
        split(content)  # must return
    assert split("\0{}]")[3] == BROKEN


@pytest.mark.parametrize("cut", range(1, 30))
def test_skipping_in_two_parts(cut):
    content = '[{"a": "]}\\"", "b": [2]}, 7], tail'
    parts = (content[:cut], content[cut:])
    used, depth, inside, escaped = skip_nested(as_text(parts[0]), 0, 0, False, False, 64)
    if depth:
        assert used == cut
        used, depth, inside, escaped = skip_nested(as_text(parts[1]), 0, depth, inside, escaped, 64)
        used += cut
    assert content[used:] == ", tail"
    assert (depth, inside, escaped) == (0, False, False)


def test_skipping_stops_at_the_depth_cap():
    assert skip_nested(as_text("[" * 100), 0, 0, False, False, 64)[1] == 65
