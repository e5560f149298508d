"""Washes of the same emitters: the stage jump is in the localizations and in the beads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.simulate.minflux import MinfluxTruth, simulate_washes


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def washes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[MinfluxTruth, ...]]:
    folder = tmp_path_factory.mktemp("washes")
    return folder, simulate_washes(folder, localizations=6000, seed=1)


class TestWashes:
    jump = np.array([120e-9, -80e-9, 30e-9])
    drift = np.array([5e-12, -3e-12, 2e-12])

    def test_files(self, washes: Any) -> None:
        folder, truths = washes
        expected = ["wash0.beads.json", "wash0.npy", "wash1.beads.json", "wash1.npy"]
        assert sorted(path.name for path in folder.iterdir()) == expected
        assert len(truths) == 2
        assert digest(folder / "wash0.npy") != digest(folder / "wash1.npy")
        np.testing.assert_array_equal(truths[0].emitters, truths[1].emitters)
        np.testing.assert_array_equal(truths[0].bead_positions, truths[1].bead_positions)

    def test_jump(self, washes: Any) -> None:
        folder, truths = washes
        for wash, truth in enumerate(truths):
            rows = np.load(folder / f"wash{wash}.npy")
            centre = np.repeat(truth.trace_centre, truth.trace_rows, axis=0)
            moved = rows["itr"]["loc"][:, -1] - centre - rows["tim"][:, None] * self.drift
            np.testing.assert_allclose(
                moved[rows["vld"]].mean(0), wash * self.jump, atol=5 * 2e-9 / np.sqrt(5000)
            )

    def test_beads_move_alike(self, washes: Any) -> None:
        folder, truths = washes
        for wash, truth in enumerate(truths):
            table = json.loads((folder / f"wash{wash}.beads.json").read_text())
            assert table["used"] == ["R1", "R2", "R3"]
            points = table["points"]
            tim = np.array([point["tim"] for point in points])
            assert (np.diff(tim) > 0).all()
            assert tim[-1] >= truth.duration_s
            assert any(point["str"] == 0 for point in points)
            for number, name in enumerate(["R1", "R2", "R3", "R4"]):
                mine = [point for point in points if point["name"] == name and point["str"]]
                xyz = np.array([point["xyz"] for point in mine])
                times = np.array([point["tim"] for point in mine])
                expected = truth.bead_positions[number] + wash * self.jump
                expected = expected + times[:, None] * self.drift
                assert (xyz - expected).std() == pytest.approx(0.5e-9, rel=0.1)
                np.testing.assert_allclose((xyz - expected).mean(0), 0, atol=1e-10)

    def test_deterministic(self, washes: Any, tmp_path: Path) -> None:
        folder, _ = washes
        simulate_washes(tmp_path, localizations=6000, seed=1)
        for path in folder.iterdir():
            assert digest(path) == digest(tmp_path / path.name)

    def test_flat(self, tmp_path: Path) -> None:
        truths = simulate_washes(tmp_path, washes=3, localizations=200, dimensions=2)
        assert len(truths) == 3
        for wash, truth in enumerate(truths):
            table = json.loads((tmp_path / f"wash{wash}.beads.json").read_text())
            assert {point["xyz"][2] for point in table["points"]} == {0.0}
            assert truth.motion.offset_m == (wash * 120e-9, wash * -80e-9, 0.0)
