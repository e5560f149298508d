"""Records are stable JSON: the same steps give the same text and identity everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

from mfxarray._version import __version__
from mfxarray.provenance import ATTRIBUTE, digest, history, identity, origin, record, was_done


def start() -> dict[str, str]:
    return origin("open", {"name": "a.npy", "bytes": 5}, {"chunks": None})


def test_origin() -> None:
    (entry,) = history(start())
    assert entry == {
        "step": "open",
        "source": {"name": "a.npy", "bytes": 5},
        "parameters": {"chunks": None},
        "version": __version__,
    }


def test_nothing_recorded() -> None:
    assert history({}) == []
    assert not was_done({}, "open")


def test_record_appends_and_keeps_the_rest() -> None:
    before = {**start(), "title": "mine"}
    after = record(before, "filter", {"efo": (1, 2)})
    assert [entry["step"] for entry in history(after)] == ["open", "filter"]
    assert after["title"] == "mine"
    assert history(after)[1]["input"] == identity(before)
    assert len(history(before)) == 1  # the input is left alone
    assert was_done(after, "filter")
    assert not was_done(before, "filter")


def test_order_of_keys_does_not_count() -> None:
    one = origin("open", {"a": 1, "b": 2}, {"x": 1, "y": 2})
    two = origin("open", OrderedDict(b=2, a=1), OrderedDict(y=2, x=1))
    assert one == two
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})


def test_identity_changes_with_anything() -> None:
    base = record(start(), "filter", {"efo": 1})
    others = [
        record(start(), "filter", {"efo": 2}),
        record(start(), "select", {"efo": 1}),
        record(base, "filter", {"efo": 1}),
        record(origin("open", {"name": "b.npy"}, {}), "filter", {"efo": 1}),
        record(start(), "filter", {"efo": 1}, others={"mask": start()}),
    ]
    assert len({identity(attrs) for attrs in (base, *others)}) == 6
    assert identity(base) == identity(record(start(), "filter", {"efo": 1}))


def test_others_keep_their_history() -> None:
    after = record(start(), "mask", {}, others={"mask": record(start(), "threshold", {"at": 3})})
    steps = [entry["step"] for entry in history(after)[1]["others"]["mask"]]
    assert steps == ["open", "threshold"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (np.bool_(True), True),
        ((1, (2, 3)), [1, [2, 3]]),
        ({1: np.float32(0.5)}, {"1": 0.5}),
        (None, None),
        (slice(1, 2), "slice(1, 2, None)"),
    ],
)
def test_values_become_plain(value: object, plain: object) -> None:
    attrs = record(start(), "step", {"value": value})
    assert history(attrs)[1]["parameters"]["value"] == plain
    assert json.loads(attrs[ATTRIBUTE]) == history(attrs)


def test_same_text_in_another_process() -> None:
    code = (
        "from mfxarray.provenance import *;"
        "print(identity(record(origin('open', {'n': 'a'}, {'x': {'b', }}), 's', {'y': 0.1})))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_no_clock_and_no_path() -> None:
    text = record(start(), "filter", {})[ATTRIBUTE]
    assert set(history(start())[0]) == {"step", "parameters", "version", "source"}
    assert "time" not in text
    assert "/" not in text
