"""Errors say where, what and what to do, and survive the way home from a worker."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from mfxarray.errors import ChunkError, DataError, IncompleteStoreError, MfxError, PlanError


def test_message_has_all_parts() -> None:
    error = DataError("is odd", path="/a/b.npy", place="row 5", hint="Export it again.")
    assert str(error) == "/a/b.npy: is odd (row 5). Export it again."
    assert (error.path, error.place, error.hint) == ("/a/b.npy", "row 5", "Export it again.")
    assert error.reason == "is odd"


def test_message_without_parts() -> None:
    assert str(DataError("is odd")) == "is odd."


@pytest.mark.parametrize("kind", [DataError, IncompleteStoreError])
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_pickle(kind: type[DataError], dumps: object) -> None:
    error = kind("is odd", path="/a", place="row 5", hint="Do it.")
    again = pickle.loads(dumps(error))  # type: ignore[operator]
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", [ChunkError, PlanError])
def test_pickle_plain(kind: type[MfxError]) -> None:
    assert str(pickle.loads(pickle.dumps(kind("too large")))) == "too large"


@pytest.mark.parametrize("kind", [DataError, IncompleteStoreError, ChunkError, PlanError])
def test_family(kind: type[MfxError]) -> None:
    assert issubclass(kind, MfxError)
    assert issubclass(kind, ValueError)
