"""Observed scatter over that of counting statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.align import apply_translations
from mfxarray.mims.corrections import correct_dead_time, divide_yield
from mfxarray.mims.counting_check import counting_check
from mfxarray.mims.profiles import depth_profile
from mfxarray.mims.region_tables import region_table
from mfxarray.mims.regions import regions_from_labels
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import counts_like, ion_stack

LABELS = np.zeros((12, 10), int)
LABELS[1:4, 1:5] = 1
LABELS[6:10, 2:9] = 2


def faded(frames=40, spread=0.0):
    """Two species whose beam fades, one of them with scatter of its own."""
    rng = np.random.default_rng(8)
    beam = np.linspace(1.5, 0.5, frames)[:, None, None, None]
    own = np.ones((frames, 2, 1, 1))
    own[:, 1, 0, 0] = 1 + spread * rng.standard_normal(frames)
    level = np.array([100.0, 8.0])[:, None, None] * beam * own
    values = rng.poisson(np.broadcast_to(level, (frames, 2, 12, 10)))
    return counts_like(values.astype(np.uint32), ["12C", "13C"])


def test_sound_counts_are_those_of_scipy():
    stack = ion_stack()
    with raise_if_computes():
        check = counting_check(stack, regions_from_labels(LABELS, stack))
    assert check["p_value"].dims == ("detector", "region")
    counts = stack.values[:, 1, 6:10, 2:9].sum((1, 2))
    chi2, probability = stats.chisquare(counts)
    assert float(check["chi2_reduced"][1, 1]) == pytest.approx(chi2 / 10)
    assert float(check["p_value"][1, 1]) == pytest.approx(probability)
    ions = check["p_value"].values[:4]
    assert (ions[np.isfinite(ions)] > 1e-3).all()
    assert np.isnan(check["p_value"].sel(detector="SE")).all()


def test_a_fading_beam_changes_counts_not_ratios():
    check = counting_check(faded()).compute()
    assert check["p_value"].dims == ("detector",)
    assert (check["p_value"] < 1e-6).all()
    assert (check["trend"] < -10).all()
    sound = counting_check(faded(), ratio=("13C", "12C")).compute()
    assert sound["p_value"] > 0.01
    assert abs(sound["trend"]) < 3
    assert float(sound["chi2_reduced"]) == pytest.approx(1, abs=0.6)
    scattered = counting_check(faded(spread=0.2), ratio=("13C", "12C"))
    assert scattered["p_value"] < 1e-6


def test_ratios_are_those_of_scipy():
    stack = faded()
    found = counting_check(stack, ratio=("13C", "12C"))
    sums = stack.values.sum((2, 3))
    theirs = stats.chi2_contingency(sums.T[::-1], correction=False)
    assert float(found["p_value"]) == pytest.approx(theirs.pvalue, rel=1e-8)


def test_blocks_of_uneven_size():
    stack = ion_stack()
    check = counting_check(stack, blocks=4).compute()
    np.testing.assert_array_equal(check["dof"].sel(detector="12C"), 2)
    # eleven frames: the last block holds three, and is expected to
    counts = np.add.reduceat(stack.values[:, 0].sum((1, 2)), [0, 4, 8])
    expected = counts.sum() * np.array([4, 4, 3]) / 11
    wanted = stats.chisquare(counts, expected).pvalue
    assert float(check["p_value"].sel(detector="12C")) == pytest.approx(wanted)


def test_a_table_will_do():
    stack = ion_stack()
    regions = regions_from_labels(LABELS, stack)
    wanted = counting_check(stack, regions).compute()
    for table in (region_table(stack, regions), depth_profile(stack, regions)):
        found = counting_check(table)
        np.testing.assert_array_equal(found["p_value"], wanted["p_value"])
    blocks = counting_check(depth_profile(stack, regions, blocks=4))
    np.testing.assert_array_equal(
        blocks["p_value"], counting_check(stack, regions, blocks=4)["p_value"]
    )


def test_corrected_counts():
    stack = faded()
    plain = counting_check(stack, ratio=("13C", "12C"))
    scaled = divide_yield(stack, {"12C": 0.5, "13C": 0.8})
    found = counting_check(scaled, ratio=("13C", "12C"))
    np.testing.assert_allclose(found["chi2_reduced"], plain["chi2_reduced"], rtol=1e-9)
    dead = counting_check(correct_dead_time(stack), ratio=("13C", "12C"))
    assert float(dead["chi2_reduced"]) == pytest.approx(float(plain["chi2_reduced"]), rel=0.05)


def test_drift_does_not_look_like_scatter():
    stack = counts_like(
        np.random.default_rng(1).poisson(30, (20, 1, 12, 10)).astype(np.uint32), ["12C"]
    )
    shifts = np.random.default_rng(2).integers(-2, 3, (20, 2))
    aligned = apply_translations(stack, shifts)
    assert counting_check(aligned)["p_value"] > 1e-3
    assert counting_check(aligned, covered=False)["p_value"] < 1e-6


def test_chunks_change_no_bit():
    stack = ion_stack()
    regions = regions_from_labels(LABELS, stack)
    chunkings = [stack.chunk(c) for c in ({"frame": -1}, {"frame": 1, "detector": 2}, {"y": 4})]
    for options in ({}, {"ratio": ("13C", "12C")}, {"blocks": 2}):
        assert_chunk_invariant(lambda s, o=options: counting_check(s, regions, **o), chunkings)
        assert_chunk_invariant(
            lambda s, o=options: counting_check(correct_dead_time(s), regions, **o), chunkings
        )


def test_the_record():
    check = counting_check(ion_stack(), ratio=("13C", "12C"))
    assert history(check.attrs)[-1]["parameters"]["numerator"] == ["13C"]


def test_what_is_refused():
    stack = ion_stack()
    with pytest.raises(ValueError, match="'frame'"):
        counting_check(accumulate(stack))
    table = region_table(stack, regions_from_labels(LABELS, stack))
    with pytest.raises(ValueError, match="already"):
        counting_check(table, regions_from_labels(LABELS, stack))
    with pytest.raises(ValueError, match="'frame'"):
        counting_check(accumulate(table))
    with pytest.raises(ValueError, match="both sides"):
        counting_check(stack, ratio=(["12C", "13C"], "12C"))
    with pytest.raises(ValueError, match="no ions"):
        counting_check(stack, ratio=("SE", "12C"))
