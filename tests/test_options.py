"""Options change inside a block only, and for one thread only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from mfxarray.options import _CHECKS, Options, get_options, set_options


def test_default() -> None:
    assert get_options() == Options()
    assert get_options().chunk_bytes == 16 * 2**20


def test_block() -> None:
    with set_options(chunk_bytes=1000) as inner:
        assert inner is get_options()
        assert get_options().chunk_bytes == 1000
        with set_options(chunk_bytes=5):
            assert get_options().chunk_bytes == 5
        assert get_options().chunk_bytes == 1000
    assert get_options() == Options()


def test_error_inside_restores() -> None:
    with pytest.raises(KeyError), set_options(chunk_bytes=1):
        raise KeyError
    assert get_options() == Options()


def test_unknown() -> None:
    with (
        pytest.raises(ValueError, match=r"no option 'chunks'; known: .*chunk_bytes"),
        set_options(chunks=5),
    ):
        pass


@pytest.mark.parametrize("value", [0, -1])
def test_not_positive(value: int) -> None:
    with pytest.raises(ValueError, match="must be positive"), set_options(chunk_bytes=value):
        pass
    assert get_options() == Options()


def test_other_threads_keep_theirs() -> None:
    with ThreadPoolExecutor(1) as pool, set_options(chunk_bytes=7):
        assert pool.submit(get_options).result() == Options()


def test_number_of_bytes_is_a_whole_number() -> None:
    with pytest.raises(ValueError, match="must be positive"), set_options(chunk_bytes=True):
        pass


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with set_options(cache_folder="here") as options:
        assert options.cache_folder == str(tmp_path / "here")
        assert not (tmp_path / "here").exists()
        with set_options(cache_folder=None):
            assert get_options().cache_folder is None
    with set_options(cache_folder=tmp_path) as options:
        assert options.cache_folder == str(tmp_path)


@pytest.mark.parametrize("value", ["", 5, True, ["a"]])
def test_no_folder(value: object) -> None:
    with pytest.raises(ValueError, match="must be a path"), set_options(cache_folder=value):
        pass


def test_progress() -> None:
    def hear(share: float, text: str) -> None: ...

    for value in (None, False, True, hear):
        with set_options(progress=value):
            assert get_options().progress is value
    for wrong in ("yes", 1):
        with pytest.raises(ValueError, match="must be True"), set_options(progress=wrong):
            pass


def test_one_wrong_change_changes_nothing() -> None:
    with pytest.raises(ValueError, match="progress"), set_options(chunk_bytes=5, progress=3):
        pass
    assert get_options() == Options()


def test_every_option_is_checked() -> None:
    assert set(_CHECKS) == {field.name for field in fields(Options)}
