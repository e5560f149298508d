"""Registered washes against the simulator's truth; the seed's mistakes must not return."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.minflux.beads.registration import fit_beads, register
from mfxarray.provenance import history
from mfxarray.simulate.minflux_washes import simulate_bead_washes, write_bead_washes
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.wash_samples import bead_dataset, washes_and_beads

BEAD_NOISE = 1e-9
# a straight line between two independent samples has 2/3 of their variance, on average
LINE = 2 / 3


def errors_of(truth, result):
    """Registered minus true positions by wash, in the frame of the first wash."""
    error = result["position_registered"].values - np.concatenate([one.truth for one in truth])
    wash = result["wash"].values
    parts = [error[wash == number] for number in range(len(truth))]
    return [part - np.nanmean(parts[0], axis=0) for part in parts]


def corrections_of(seed, settings, choices):
    """Error of the correction alone by wash: nothing but bead noise is in it."""
    truth = simulate_bead_washes(
        seed=seed, washes=2, localizations=1, precision_m=0.0, duration_s=800.0, **settings
    )
    fits = fit_beads([bead_dataset(wash) for wash in truth], **choices).washes
    undone = [
        fit.motion.undo(wash.position, wash.tim)[0] - wash.truth
        for wash, fit in zip(truth, fits, strict=True)
    ]
    return [error - undone[0].mean(axis=0) for error in undone]


@pytest.mark.parametrize(
    ("settings", "choices", "beads"),
    [
        ({}, {}, (4, 4)),
        ({"renamed": True}, {"match": "geometry"}, (4, 4)),
        ({"beads": 2}, {}, (2, 2)),
        ({"lost": {1: (0,)}}, {}, (4, 3)),
    ],
    ids=["plain", "renamed", "two beads", "lost"],
)
def test_washes_agree_as_well_as_bead_noise_lets_them(settings, choices, beads):
    shifts, rows = [], []
    for seed in range(60):
        first, second = corrections_of(seed, {"failed": 0.0, **settings}, choices)
        shifts.append(second.mean(axis=0) - first.mean(axis=0))
        rows.append(second)
    samples, traces = 200, 200
    one = BEAD_NOISE**2 * LINE / beads[1]
    # means over traces: those at the same time share bead samples, so the noise of the mean over
    # all samples stays however many traces there are
    each = [BEAD_NOISE**2 / count * (LINE / traces + 1 / samples) for count in beads]
    # places of beads that are not in both washes are known from all samples of the first
    homes = BEAD_NOISE**2 / samples * (1 / beads[1] - 1 / beads[0])
    assert np.sqrt(np.mean(np.square(shifts))) < 1.2 * np.sqrt(sum(each) + homes)
    # against the mean of the first wash, which is known as well as its own mean
    assert np.sqrt(np.mean(np.square(rows))) < 1.2 * np.sqrt(one + each[0])


def test_drop_outs_cost_no_more_than_the_samples_that_are_gone():
    rows = [corrections_of(seed, {"failed": 0.2}, {})[1] for seed in range(60)]
    assert np.sqrt(np.mean(np.square(rows))) < 1.2 * np.sqrt(BEAD_NOISE**2 * LINE / 4)


@pytest.mark.parametrize(
    "settings",
    [
        {"lost": {1: (0,), 2: (3,)}},
        {"ends": {(1, 1): 0.5, (2, 0): 0.1}},
        {"moved": {(1, 2): (5e-7, 0.0, 0.0)}},
        {"moved": {(1, 2): (0.0, 9e-6, 0.0)}, "lost": {2: (1,)}},
        {"lost": {0: (0,)}},
    ],
    ids=["lost", "ends early", "moved", "far off", "lost in the reference"],
)
def test_a_lost_bead_never_shifts_a_wash(settings):
    truth, washes, beads = washes_and_beads(seed=2, **settings)
    result = register(washes, beads).compute()
    for part in errors_of(truth, result):
        assert np.abs(np.nanmean(part, axis=0)).max() < 0.4e-9


def test_a_bead_that_jumps_within_a_wash_does_not_either():
    truth, washes, beads = washes_and_beads(seed=2, beads=3)
    late = (beads[1]["tim"][1] > 1400).values
    beads[1]["position"][1, late] += 3e-7
    for part in errors_of(truth, register(washes, beads).compute()):
        assert np.abs(np.nanmean(part, axis=0)).max() < 0.4e-9
        assert np.nanmax(np.abs(part)) < 12e-9


def test_the_seed_subtracted_twice_and_left_the_jump():
    truth, washes, beads = washes_and_beads(seed=1, washes=2, drift_m=0.0)
    jump = (truth[1].displacement - truth[0].displacement[0])[0]
    assert np.linalg.norm(jump) == pytest.approx(400e-9)
    first, second = errors_of(truth, register(washes, beads).compute())
    assert np.linalg.norm(second.mean(axis=0) - first.mean(axis=0)) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "choices"),
    [
        ({}, {}),
        ({"beads": 1}, {}),
        ({"beads": 3, "failed": 0.2}, {}),
        ({"lost": {1: (0,)}, "ends": {(2, 1): 0.4}}, {}),
        ({"drift_m": 10e-9}, {"smooth": 10.0}),
        ({"beads": 5, "rotation_rad": 2e-4}, {"rotation": "rigid"}),
        ({"beads": 6, "bead_shift_m": 1e-9}, {}),
    ],
    ids=["plain", "one bead", "drop-outs", "lost", "smooth", "rigid", "beads wander"],
)
def test_intervals_cover_the_truth(settings, choices):
    inside = []
    for seed in range(25):
        truth, washes, beads = washes_and_beads(
            seed=seed, traces=100, localizations=1, precision_m=1e-16, **settings
        )
        result = register(washes, beads, at="localization", **choices).compute()
        scaled = np.concatenate(errors_of(truth, result)) / result["registration_std"].values
        inside.append(np.abs(scaled[np.isfinite(scaled)]) < 1.96)
    assert np.mean(np.concatenate(inside)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"beads": 1}, "three or more"),
        ({"beads": 2}, "three or more"),
        ({"beads": 3, "line": True}, "on a line"),
        ({"beads": 6, "line": True}, "on a line"),
        ({"beads": 3, "lost": {1: (0,)}}, "wash 1: 2 beads"),
    ],
)
@pytest.mark.parametrize("rotation", ["z", "rigid"])
def test_too_few_or_collinear_beads_never_rotate(settings, reason, rotation):
    _, washes, beads = washes_and_beads(rotation_rad=1e-4, **settings)
    with pytest.raises(ValueError, match=reason):
        register(washes, beads, rotation=rotation)
    for one in fit_beads(beads).washes:
        np.testing.assert_array_equal(one.motion.rotation, np.eye(3))


@pytest.mark.parametrize("rotation", ["z", "rigid"])
@pytest.mark.parametrize("angle", [2e-4, 1e-2])
def test_turned_washes_come_back(rotation, angle):
    truth, washes, beads = washes_and_beads(seed=4, beads=5, rotation_rad=angle)
    plain = errors_of(truth, register(washes, beads, tolerance=1e-6).compute())
    turned = errors_of(truth, register(washes, beads, rotation=rotation).compute())
    for number in (1, 2):
        assert np.std(turned[number]) < 1.05 * np.std(turned[0])
        assert np.std(plain[number]) > np.std(turned[number])


def test_traces_keep_their_shape():
    truth, washes, beads = washes_and_beads(seed=3, bead_noise_m=20e-9)
    result = register(washes, beads).compute()
    measured = np.concatenate([one.position for one in truth])
    moved = measured - result["position_registered"].values
    key = result["wash"].values * 10**6 + result["tid"].values
    same = key[1:] == key[:-1]
    assert np.abs(np.diff(moved, axis=0)[same]).max() < 1e-20
    own = register(washes, beads, at="localization").compute()
    moved = measured - own["position_registered"].values
    assert np.abs(np.diff(moved, axis=0)[same]).max() > 1e-12


def test_lazy_and_the_same_bits_for_every_chunking():
    _, _, beads = washes_and_beads()
    versions = []
    for chunk in (10**6, 500, 101, 7):
        _, washes, _ = washes_and_beads(chunk=chunk)
        with raise_if_computes():
            versions.append(register(washes, beads))
    assert_chunk_invariant(lambda data: data, versions)


def test_position_stays_as_the_instrument_corrected_it():
    _, washes, beads = washes_and_beads(washes=2)
    result = register(washes, beads)
    before = np.concatenate([ds["position"].values for ds in washes])
    np.testing.assert_array_equal(result["position"].values, before)
    assert result["position_registered"].attrs["units"] == "m"
    step = history(result.attrs)[-1]
    assert step["step"] == "register"
    assert step["parameters"]["beads"] == [["R1", "R2", "R3", "R4"]] * 2


def test_where_beads_are_silent_nothing_is_invented():
    truth, washes, beads = washes_and_beads(ends={(1, bead): 0.5 for bead in range(4)})
    result = register(washes, beads).compute()
    part = result.isel(localization=result["wash"].values == 1)
    late = truth[1].tim > 1010
    assert np.isnan(part["position_registered"].values[late]).all()
    assert not part["mask_registered"].values[late].any()
    assert part["mask_registered"].values[truth[1].tim < 990].all()


def test_rows_without_uncorrected_position_are_not_registered():
    _, washes, beads = washes_and_beads(washes=1)
    aggregated = washes[0].assign(position_uncorrected=washes[0]["position"] * 0)
    result = register([aggregated], beads)
    assert not result["mask_registered"].values.any()


def test_once_only_and_both_scaled_or_none():
    _, washes, beads = washes_and_beads(washes=2)
    result = register(washes, beads)
    with pytest.raises(ValueError, match="already"):
        register([result, washes[1]], beads)
    scaled = [ds.mfx.scale_z(0.7) for ds in washes]
    with pytest.raises(ValueError, match="scale both"):
        register(scaled, beads)
    both = register(scaled, [ds.mfx.scale_z(0.66) for ds in beads])
    assert both.attrs["z_scaling"] == 0.7
    with pytest.raises(ValueError, match="alike"):
        fit_beads([beads[0].mfx.scale_z(0.7), beads[1]])


def test_beads_that_contradict_each_other_are_refused():
    _, _, beads = washes_and_beads(washes=2, beads=2, moved={(1, 0): (5e-7, 0.0, 0.0)})
    with pytest.raises(ValueError, match="which of them moved"):
        fit_beads(beads)
    assert len(fit_beads(beads, exclude=[(), ("R1",)]).washes[1].tracks) == 1


def test_renamed_beads_without_a_common_name_are_refused():
    _, _, beads = washes_and_beads(renamed=True)
    with pytest.raises(ValueError, match="no bead in common"):
        fit_beads(beads)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"at": "row"}, "at must be"),
        ({"rotation": "all"}, "rotation must be"),
        ({"match": "colour"}, "by must be"),
        ({"smooth": -1.0}, "smooth"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"least_beads": 0}, "least_beads"),
        ({"least_beads": 9}, "never enough"),
        ({"reference": 3}, "reference"),
        ({"position": "nowhere"}, "nowhere"),
        ({"exclude": [("R1",)]}, "exclude"),
        ({"exclude": [("R9",), (), ()]}, "R9"),
        ({"exclude": [("R1", "R2", "R3", "R4"), (), ()]}, "wash 0 has no bead"),
    ],
)
def test_wrong_parameters(choices, message):
    _, washes, beads = washes_and_beads(traces=5)
    with pytest.raises(ValueError, match=message):
        register(washes, beads, **choices)


def test_washes_and_beads_must_go_together():
    _, washes, beads = washes_and_beads(traces=5)
    with pytest.raises(ValueError, match="3 washes, but beads of 2"):
        register(washes, beads[:2])
    with pytest.raises(ValueError, match="give the beads"):
        register(washes)
    with pytest.raises(ValueError, match="either fit="):
        register(washes, fit=fit_beads(beads), smooth=3.0)


def test_from_files(tmp_path):
    truth = write_bead_washes(tmp_path, washes=3, traces=50, seed=5)
    trees = [mfx.open_minflux_tree(tmp_path / f"wash{number}.zarr") for number in range(3)]
    with raise_if_computes():
        result = register(trees)
    assert result.attrs["washes"] == ["P1", "P1", "P1"] or len(result.attrs["washes"]) == 3
    for part in errors_of(truth, result):
        assert np.abs(np.nanmean(part, axis=0)).max() < 0.6e-9
    path = tmp_path / "registered.zarr"
    result.mfx.last_iteration().mfx.to_zarr(path)
    again = mfx.open_zarr(path)
    xr.testing.assert_equal(
        again["position_registered"].compute(), result["position_registered"].compute()
    )
