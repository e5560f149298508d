"""The command prints the resolution and draws it."""

from __future__ import annotations

from argparse import Namespace

import pytest

from mfxarray.commands.resolution import resolution_file
from tests.samples import localization_file


@pytest.fixture
def arguments(tmp_path):
    return Namespace(
        file=str(localization_file(tmp_path)),
        picture=None,
        bound=[],
        overwrite=False,
        dataset=None,
        view=None,
        units=None,
        partial=False,
        cluster="threads",
        workers=2,
        memory_limit="1GiB",
        means=False,
        pixel_nm=4.0,
        split=None,
        repeats=2,
        seed=0,
        dimensions=2,
        preset="default",
    )


@pytest.mark.parametrize(("split", "told"), [(None, "trace"), ("localization", "localization")])
def test_the_numbers_are_printed(arguments, capsys, split, told):
    arguments.split = split
    resolution_file(arguments)
    line = capsys.readouterr().out
    assert "resolution" in line
    assert f"split by {told}" in line


def test_means_and_a_picture(arguments, capsys, tmp_path):
    arguments.means, arguments.picture = True, str(tmp_path / "curve.png")
    resolution_file(arguments)
    assert "means of traces" in capsys.readouterr().out
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    with pytest.raises(Exception, match="overwrite"):
        resolution_file(arguments)
