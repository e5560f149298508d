"""Corrections: vectors, order, variance, electrons left alone, refused twice, lazy, chunk-proof."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mfxarray.kernels.counting import CAESIUM_PER_PA
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.corrections import (
    ORDERS,
    correct,
    correct_dead_time,
    correct_qsa,
    divide_yield,
    subtract_background,
)
from mfxarray.provenance import history, record
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import NAMES, ion_stack, single
from tests.samples import four_chunkings

QSA = {"current_pa": 2.0, "beta": 0.5}
pytestmark = pytest.mark.filterwarnings("ignore:the analytic QSA:UserWarning")


def one(data):
    return data["counts"].values.item()


@pytest.mark.parametrize("dwell", [1.0, 0.1, 5.12e-3])
def test_dead_time_works_on_rates(dwell):
    counts = single({"12C": 1000}, dwell_time_s=dwell)
    rate = 1000 / dwell
    assert one(correct_dead_time(counts)) / dwell == pytest.approx(
        rate / (1 - rate * 44e-9), rel=1e-12
    )


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [(30_000, 30_039.652), (100_000, 100_441.945), (300_000, 304_012.971), (10**6, 1_046_025.105)],
)
def test_dead_time_vectors(rate, wanted):
    assert one(correct_dead_time(single({"12C": rate}))) == pytest.approx(wanted, abs=5e-4)


@pytest.mark.parametrize(("beta", "factor"), [(0.5, 1.00402), (0.66, 1.00531), (1.0, 1.00804)])
def test_qsa_vectors(beta, factor):
    found = one(correct_qsa(single({"12C": 100_000}), current_pa=2.0, beta=beta))
    assert found / 1e5 == pytest.approx(factor, abs=5e-6)
    share = 1e5 / (2 * CAESIUM_PER_PA)
    assert found == pytest.approx(1e5 * (1 + beta * share / (1 - share / 2)), rel=1e-12)


def test_background_and_yield():
    counts = single({"12C": 1000}, dwell_time_s=0.5)
    assert one(subtract_background(counts, 30)) == 985
    assert one(divide_yield(counts, 80)) == pytest.approx(1250, rel=1e-12)


def test_the_orders_differ_as_documented():
    """1e6 counts/s with 100 counts/s of background, a yield of 70 %, 44 ns."""
    rate, back, share, tau = 1e6, 100.0, 0.7, 44e-9
    counts = single({"12C": int(rate)})

    def found(order, **more):
        return one(correct(counts, background=back, yields=70, order=order, **more))

    def alive(c):
        return c / (1 - c * tau)

    lans = alive(rate - back) / share
    physical = (alive(rate) - back) / share
    assert found("lans") == pytest.approx(lans, rel=1e-12)
    assert one(correct(counts, background=back, yields=70)) == found("lans")
    assert found("openmims") == pytest.approx(alive(rate), rel=1e-12)
    assert found("physical") == pytest.approx(physical, rel=1e-12)
    late = ("dead_time", "yield", "background")
    assert found(late) == pytest.approx(alive(rate) / share - back, rel=1e-12)
    # sims: background, then a *product* with the yield, then dead time; ours in its order divides
    sims = ("background", "yield", "dead_time")
    assert found(sims) == pytest.approx(alive((rate - back) / share), rel=1e-12)
    assert share * (physical - lans) == pytest.approx(9.4, abs=0.05)
    assert len({found("lans"), found("physical"), found("openmims"), found(late)}) == 4
    # QSA comes last, after the yield
    with_qsa = found("lans", qsa=QSA)
    k = lans / (2 * CAESIUM_PER_PA)
    assert with_qsa == pytest.approx(lans * (1 + 0.5 * k / (1 - k / 2)), rel=1e-12)


def test_variance_by_the_delta_method():
    counts, step = 90_000, 1

    def at(number):
        return correct(single({"12C": number}, dwell_time_s=0.1), background=50, yields=75, qsa=QSA)

    slope = (one(at(counts + step)) - one(at(counts - step))) / (2 * step)
    assert at(counts)["variance"].values.item() == pytest.approx(counts * slope**2, rel=1e-6)


def test_variance_is_that_of_random_counts():
    rng = np.random.default_rng(2)
    stack = ion_stack(frames=1, height=200, width=200, dwell_time_s=1e-4)
    stack = stack.copy(data=rng.poisson(300.0, stack.shape).astype(np.uint32))
    found = correct(stack, yields=80, background=1000, dead_time=44).sel(detector="12C")
    # 3e6 counts/s: dead time of 13 % stretches the scatter by far
    assert found["variance"].mean() / found["counts"].var() == pytest.approx(1, abs=0.02)
    assert found["counts"].var() > 1.9 * 300


def test_impossible_rates_become_nan():
    counts = single({"12C": 10**6}, dwell_time_s=0.04)
    found = correct_dead_time(counts)
    assert np.isnan(found["counts"]).all()
    assert np.isnan(found["variance"]).all()


def test_electrons_stay_as_they_are():
    stack = ion_stack(dwell_time_s=1e-5)
    found = correct(stack, yields=50, background=9, qsa={"current_pa": 0.1, "beta": 1.0})
    np.testing.assert_array_equal(found["counts"].sel(detector="SE"), stack.sel(detector="SE"))
    assert not np.isclose(found["counts"].sel(detector="13C"), stack.sel(detector="13C")).all()


def test_values_by_detector():
    stack = ion_stack()
    found = divide_yield(stack, {"12C": 50.0, "13C": 80.0})["counts"]
    for name, share in (("12C", 0.5), ("13C", 0.8), ("12C 14N", 1.0)):
        wanted = stack.sel(detector=name) / share
        np.testing.assert_allclose(found.sel(detector=name), wanted, rtol=1e-15)


def test_the_order_of_dimensions_does_not_matter():
    stack = ion_stack(yield_percent=[50.0, 60.0, 70.0, 80.0, None])
    turned = correct(stack.transpose("y", "detector", "frame", "x"))
    assert turned["counts"].dims == ("y", "detector", "frame", "x")
    np.testing.assert_array_equal(turned["counts"].transpose(*stack.dims), correct(stack)["counts"])
    assert correct(stack.isel(frame=2))["counts"].dims == ("detector", "y", "x")


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (subtract_background, {}),
        (correct_dead_time, {}),
        (divide_yield, {}),
        (correct_qsa, QSA),
    ],
)
def test_not_twice(function, options):
    once = function(ion_stack(), **options)
    with pytest.raises(ValueError, match=f"{function.__name__} was done before"):
        function(once, **options)


def test_the_record():
    found = correct(ion_stack(), background={"13C": 2.0}, qsa=QSA)
    steps = history(found.attrs)
    names = ["open_mims", "subtract_background", "correct_dead_time", "divide_yield", "correct_qsa"]
    assert [step["step"] for step in steps] == names
    assert steps[1]["parameters"]["background_cps"]["13C"] == 2.0
    assert steps[2]["parameters"]["dead_time_ns"]["12C"] == 44.0
    assert set(steps[3]["parameters"]["yield_percent"]) == set(NAMES) - {"SE"}
    assert steps[4]["parameters"]["beta"]["12C"] == 0.5
    assert steps[4]["parameters"]["current_pa"] == 2.0


def test_qsa_warns_and_nothing_else_does():
    with pytest.warns(UserWarning, match=r"Ogliore.*2102\.04253"):
        correct_qsa(ion_stack(), **QSA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        correct(ion_stack()).compute()


def test_lazy():
    with raise_if_computes():
        correct(ion_stack(), background=1, yields=90, qsa=QSA)


def test_every_chunking_gives_the_same():
    stacks = four_chunkings(ion_stack(), "frame")
    stacks.append(ion_stack().chunk({"detector": 2, "y": 5, "x": 3}))
    stacks.append(ion_stack().compute())
    assert_chunk_invariant(lambda data: correct(data, background=3, yields=70, qsa=QSA), stacks)


def test_sums_are_refused():
    total = accumulate(ion_stack())
    for function in (subtract_background, correct_dead_time):
        with pytest.raises(ValueError, match="correct before accumulate"):
            function(total)
    with pytest.raises(ValueError, match="correct before accumulate"):
        correct_qsa(total, **QSA)
    np.testing.assert_allclose(divide_yield(total, 50)["counts"][0], 2 * total[0])


def test_aligned_frames_have_no_background_left():
    stack = ion_stack()
    aligned = stack.assign_attrs(record(stack.attrs, "apply_translations", {}))
    with pytest.raises(ValueError, match="before aligning"):
        subtract_background(aligned, 5)
    # the usual header says 0, which changes nothing
    subtract_background(aligned)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": ("dead_time", "dead_time")}, "at most once"),
        ({"order": ("dead",)}, "at most once"),
        ({"order": "sims"}, "one of"),
        ({"order": ()}, "at most once"),
        ({"order": ("qsa",)}, "give qsa="),
        ({"qsa": {"beta": 1}}, "needs 'current_pa' and 'beta'"),
        ({"qsa": {"beta": "header", "current_pa": 1}}, "no header holds beta"),
        ({"qsa": {"beta": 1, "current_pa": 0}}, "more than 0 pA"),
        ({"yields": 0}, "yield of 0"),
        ({"dead_time": {"99X": 1}}, "no detector"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        correct(ion_stack(), **options)


def test_tables_have_no_dwell_time():
    table = ion_stack().sum(("y", "x"), keep_attrs=True)
    with pytest.raises(ValueError, match="pixels"):
        correct_dead_time(table)
    with pytest.raises(ValueError, match="detector"):
        divide_yield(table.isel(detector=0))


def test_named_orders():
    assert ORDERS["lans"] == ("background", "dead_time", "yield")
