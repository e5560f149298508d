"""Options change inside a block only, and for one thread only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mfxarray.options import Options, get_options, set_options


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
