"""The demo: against the truth, again, and elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mfxarray as mfx
from mfxarray.demo import Report, run_demo
from mfxarray.errors import DataError


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run_demo(tmp_path_factory.mktemp("demo") / "out", size="tiny", seed=1)


def _found(report: Report, title: str) -> dict[str, tuple[float, float | None]]:
    result = next(result for result in report.results if result.title == title)
    return {row.what.strip(): (row.found, row.truth) for row in result.rows}


def test_that_all_files_are_there(report):
    names = [name for result in report.results for name in result.files]
    assert len(names) == 13
    for name in [*names, "truth.json", "summary.json", "summary.txt", "README.txt"]:
        assert (report.folder / name).exists()
        assert name in report.text
    for name in names:
        if name.endswith(".png"):
            assert (report.folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("wash", [0, 1])
def test_localizations_against_the_truth(report, wash: int):
    found = _found(report, f"MINFLUX wash {wash}")
    for name in ("localizations in the file", "invalid"):
        assert found[name][0] == found[name][1]
    kept, there = found["traces of one emitter"]
    assert 0.9 * there < kept <= there
    left, there = found["traces of two emitters at once, left"]
    assert left < there / 2
    for axis in "xyz":
        # 2500 localizations: relative standard error 1.5 %
        value, truth = found[f"precision {axis}, all traces pooled"]
        assert value == pytest.approx(truth, rel=0.07)
    assert found["error of centroids over that expected"][0] == pytest.approx(1, abs=0.12)


def test_ion_images_against_the_truth(report):
    found = _found(report, "NanoSIMS stack")
    assert found["drift error, largest"] == (0, 0)
    assert found["frames without a confident translation"] == (0, 0)
    hot, there = found["hot pixels found"]
    assert there > 10
    assert hot > 0.9 * there
    assert found["clean pixels taken for hot"][0] < 0.002 * 12 * 64 * 64
    value, truth = found["counts of 12C 14N"]
    assert value == pytest.approx(truth, rel=2e-3)
    value, truth = found["13C / 12C"]
    assert value == pytest.approx(truth, rel=0.1)


def test_that_summary_and_truth_are_json(report):
    summary = json.loads((report.folder / "summary.json").read_text(encoding="utf-8"))
    truth = json.loads((report.folder / "truth.json").read_text(encoding="utf-8"))
    titles = ["MINFLUX wash 0", "MINFLUX wash 1", "NanoSIMS stack"]
    assert list(summary) == list(truth) == titles
    assert len(truth["NanoSIMS stack"]["translations"]) == 12
    assert (report.folder / "summary.txt").read_text(encoding="utf-8") == f"{report.text}\n"


def test_that_the_stores_know_their_history(report):
    steps = [
        step["step"] for step in mfx.open_zarr_array(report.folder / "mims/sum.zarr").mims.history
    ]
    assert steps == ["open_mims", "remove_hot_pixels", "apply_translations"]
    traces = mfx.open_parquet(report.folder / "minflux/wash0_traces.parquet")
    steps = [step["step"] for step in traces.mfx.history]
    assert steps == ["open_minflux", "filter", "compact", "traces"]


def test_that_the_washes_see_the_same_emitters_after_a_jump(report):
    truth = json.loads((report.folder / "truth.json").read_text(encoding="utf-8"))
    first, second = (truth[f"MINFLUX wash {wash}"]["offset_m"] for wash in (0, 1))
    assert first == [0, 0, 0]
    assert second == [120e-9, -80e-9, 30e-9]


def test_that_it_can_be_repeated_in_its_folder(report):
    before = (report.folder / "summary.json").read_bytes()
    again = run_demo(report.folder, size="tiny", seed=1)
    assert (again.folder / "summary.json").read_bytes() == before
    assert again.results == report.results


def test_that_another_seed_gives_other_data(report, tmp_path):
    other = run_demo(tmp_path / "other", size="tiny", seed=2)
    assert other.results != report.results


def test_that_a_folder_with_other_things_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="no earlier demo"):
        run_demo(tmp_path, size="tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_that_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="not a folder"):
        run_demo(tmp_path / "out", size="tiny")


def test_that_sizes_are_checked_before_anything_is_made(tmp_path: Path):
    with pytest.raises(ValueError, match="size must be"):
        run_demo(tmp_path / "out", size="huge")
    with pytest.raises(ValueError, match="cluster must be"):
        run_demo(tmp_path / "out", cluster="moon")
    assert not (tmp_path / "out").exists()


@pytest.mark.cluster
def test_that_a_cluster_finds_the_same_bits(report, tmp_path):
    other = run_demo(tmp_path / "out", cluster="local", size="tiny", seed=1)
    assert other.results == report.results
    for name in ("minflux/wash0.png", "mims/sum.png", "mims/drift.png", "summary.json"):
        assert (other.folder / name).read_bytes() == (report.folder / name).read_bytes()
    one, two = (
        mfx.open_zarr_array(folder / "mims/aligned.zarr")
        for folder in (report.folder, other.folder)
    )
    assert one.identical(two)
