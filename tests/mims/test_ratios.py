"""Ratios: vectors, images, frames and tables, shared species, corrected counts, masks, chunks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.corrections import correct, divide_yield
from mfxarray.mims.ratios import delta, expression, fraction, ratio, turnover
from mfxarray.mims.standards import Standard
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import ion_stack, single
from tests.samples import four_chunkings

PAIR = ("13C", "12C")
OWN = Standard("13C/12C", "own", 2024, 0.0112372)


def numbers(found: xr.Dataset) -> dict[str, float]:
    return {str(name): values.values.item() for name, values in found.items()}


def table(draws: dict[str, np.ndarray]) -> xr.DataArray:
    values = np.stack(list(draws.values()), axis=1)
    coords = {"detector": list(draws)}
    return xr.DataArray(values, coords, ("region", "detector"), attrs={"units": "counts"})


def test_vectors():
    counts = single({"13C": 100, "12C": 10_000, "12C 14N": 100, "12C 15N": 100})
    found = numbers(ratio(counts, *PAIR))
    assert found["ratio"] == 0.01
    assert found["error"] / found["ratio"] == pytest.approx(np.sqrt(0.0101), rel=1e-12)
    assert found["error"] / found["ratio"] == pytest.approx(0.100499, abs=5e-7)
    part = numbers(fraction(counts, "12C 14N", "12C 15N"))
    assert part["error"] / part["fraction"] == pytest.approx(0.070711, abs=5e-7)
    with_formula = numbers(expression(counts, "12C 14N / (12C 14N + 12C 15N)"))
    assert with_formula["error"] == pytest.approx(part["error"], rel=1e-12)


@pytest.mark.parametrize(
    ("standard", "wanted"),
    [
        (("VPDB", 1957), -12.21),
        (("VPDB", 1990), -7.16),
        (("VPDB", 2021), -7.13),
        (OWN, -12.21),
    ],
)
def test_delta(standard, wanted):
    counts = single({"13C": 111, "12C": 10_000})
    found = numbers(delta(counts, *PAIR, standard))
    assert found["delta"] == pytest.approx(wanted, abs=5e-3)
    assert found["low"] < found["delta"] < found["high"]
    assert delta(counts, *PAIR, standard)["delta"].attrs["units"] == "permil"
    told = history(delta(counts, *PAIR, standard).attrs)[-1]["parameters"]
    assert told["year"] == (standard.year if isinstance(standard, Standard) else standard[1])


def test_delta_of_nitrogen():
    counts = single({"12C 15N": 37, "12C 14N": 10_000})
    found = numbers(delta(counts, "12C 15N", "12C 14N", ("air", 1958)))
    assert found["delta"] == pytest.approx(6.40, abs=5e-3)
    other = Standard("15N/14N", "air, 1/272.22", 2024, 1 / 272.22)
    found = numbers(delta(counts, "12C 15N", "12C 14N", other))
    assert found["delta"] == pytest.approx(7.21, abs=5e-3)


def test_delta_needs_its_standard():
    with pytest.raises(TypeError):
        delta(ion_stack(), *PAIR)
    with pytest.raises(ValueError, match="is a standard of 15N/14N"):
        delta(ion_stack(), *PAIR, ("air", 1958))
    with pytest.raises(ValueError, match="is 12C/13C"):
        delta(ion_stack(), *PAIR[::-1], ("VPDB", 1990))


def test_turnover():
    counts = single({"12C 15N": 84, "12C 14N": 10_000})
    r = 0.0084
    found = turnover(counts, "12C 15N", "12C 14N", reference=0.013, background=0.0037)
    wanted = 100 * ((r - 0.0037) / (0.013 - 0.0037)) * ((1 + 0.013) / (1 + r))
    assert numbers(found)["turnover"] == pytest.approx(wanted, rel=1e-12)
    assert found["turnover"].attrs["units"] == "percent"
    with pytest.raises(ValueError, match="must differ"):
        turnover(counts, "12C 15N", "12C 14N", reference=0.01, background=0.01)


def test_images_frames_and_tables():
    stack = ion_stack()
    total = accumulate(stack)
    with raise_if_computes():
        image, frames = ratio(total, *PAIR), ratio(stack, *PAIR)
    assert image["ratio"].dims == ("y", "x")
    assert frames["ratio"].dims == ("frame", "y", "x")
    assert image["n_frames"] == 11
    assert set(image.coords) == {"y", "x", "n_frames"}
    summed = stack.values.sum(0, dtype=float)
    np.testing.assert_array_equal(image["ratio"], summed[1] / summed[0])
    regions = ratio(table({"13C": np.array([30, 0]), "12C": np.array([900, 0])}), *PAIR)
    np.testing.assert_array_equal(regions["ratio"], [30 / 900, np.nan])


def test_several_species_on_a_side():
    total = accumulate(ion_stack())
    found = ratio(total, ["12C 14N", "12C 15N"], PAIR)
    values = total.values.astype(float)
    above, below = values[2] + values[3], values[0] + values[1]
    np.testing.assert_allclose(found["ratio"], above / below, rtol=1e-15)
    relative = found["error"] / found["ratio"]
    np.testing.assert_allclose(relative, np.sqrt(1 / above + 1 / below), rtol=1e-12)


def test_a_shared_species_counts_once():
    """13C / (12C + 13C) with its covariance is the fraction; without, the error is too large."""
    total = accumulate(ion_stack())
    exact = fraction(total, "12C 14N", ["12C", "13C"])
    formula = expression(total, "12C 14N / (12C + 13C + 12C 14N)")
    np.testing.assert_allclose(formula["value"], exact["fraction"], rtol=1e-12)
    np.testing.assert_allclose(formula["error"], exact["error"], rtol=1e-9)
    with pytest.raises(ValueError, match="on both sides"):
        ratio(total, "13C", PAIR)


@pytest.mark.parametrize("means", [(12, 400), (80, 80), (3000, 200)])
def test_errors_are_the_scatter_of_random_counts(means):
    rng = np.random.default_rng(3)
    draws = {name: rng.poisson(mean, 60_000) for name, mean in zip(PAIR, means, strict=True)}
    for function, *options in ((ratio,), (fraction,), (delta, OWN)):
        found = function(table(draws), *PAIR, *options, confidence=None)
        values, errors = found.data_vars.values()
        spread = float(values.std())
        assert float(np.sqrt((errors**2).mean())) == pytest.approx(spread, rel=0.06)


@pytest.mark.parametrize("means", [(3, 40), (12, 2000), (100, 100), (100, 9000), (1e5, 400)])
def test_random_counts_are_covered(means):
    rng = np.random.default_rng(4)
    draws = {name: rng.poisson(mean, 20_000) for name, mean in zip(PAIR, means, strict=True)}
    truth = means[0] / means[1]
    for function, value in ((ratio, truth), (fraction, truth / (1 + truth))):
        found = function(table(draws), *PAIR)
        known = found["low"].notnull()
        inside = ((found["low"] <= value) & (value <= found["high"])).values[known.values].mean()
        assert inside > 0.945
        if min(means) >= 100:
            # three standard errors of the draws beside the half point
            assert abs(inside - 0.95) < 0.005 + 0.0046


def test_intervals_of_corrected_counts_cover():
    rng = np.random.default_rng(5)
    stack = ion_stack(frames=1, height=150, width=100, dwell_time_s=1e-4)
    means = np.array([400.0, 120, 50, 5, 10])[:, None, None]
    stack = stack.copy(data=rng.poisson(means * np.ones(stack.shape)).astype(np.uint32))
    share = {"12C": 90.0, "13C": 60.0, "12C 14N": 100.0, "12C 15N": 100.0}
    found = ratio(correct(stack, yields=share, background=5e4), *PAIR)

    def alive(c):
        return c / (1 - c / 1e-4 * 44e-9)

    truth = (alive(120 - 5) / 0.6) / (alive(400 - 5) / 0.9)
    inside = ((found["low"] <= truth) & (truth <= found["high"])).mean()
    assert float(inside) == pytest.approx(0.95, abs=0.012)
    spread = float(found["ratio"].std())
    assert float(np.sqrt((found["error"] ** 2).mean())) == pytest.approx(spread, rel=0.05)


def test_a_yield_changes_ratios_and_scales_their_errors():
    total = accumulate(ion_stack())
    raw = ratio(total, *PAIR)
    yields = {"13C": 50.0, "12C": 80.0, "12C 14N": 100.0, "12C 15N": 100.0}
    found = ratio(divide_yield(total, yields), *PAIR)
    for name in ("ratio", "error", "low", "high"):
        np.testing.assert_allclose(found[name], raw[name] * 1.6, rtol=1e-9)


def test_few_counts_are_masked():
    total = accumulate(ion_stack(), "0")
    counts = total.values[2] + total.values[3]
    limit = int(np.median(counts))
    found = ratio(total, "12C 15N", "12C 14N", min_counts=limit)
    for name in ("ratio", "low", "high"):
        np.testing.assert_array_equal(found[name].isnull(), counts < limit)
    masked = expression(total, "12C 15N / 12C 14N", min_counts=limit)
    np.testing.assert_array_equal(masked["value"], found["ratio"])
    np.testing.assert_allclose(masked["error"], found["error"], rtol=1e-14)
    # the delta method knows nothing of what was never counted, the interval does
    none = (total.values[3] == 0) & (counts >= limit)
    assert none.any()
    assert np.isnan(found["error"].values[none]).all()
    assert (found["high"].values[none] > 0).all()


def test_no_interval_unless_asked_for():
    assert list(ratio(ion_stack(), *PAIR, confidence=None)) == ["ratio", "error"]
    wide, narrow = (ratio(single({"13C": 9, "12C": 99}), *PAIR, confidence=c) for c in (0.99, 0.68))
    assert numbers(wide)["low"] < numbers(narrow)["low"]
    assert "99 %" in wide["high"].attrs["long_name"]


def test_every_chunking_gives_the_same():
    stacks = four_chunkings(ion_stack(), "frame")
    stacks.append(ion_stack().chunk({"detector": 2, "y": 5, "x": 3}))
    stacks.append(ion_stack().compute())
    corrected = {"yields": 70, "background": 3}
    for operation in (
        lambda data: ratio(data, *PAIR),
        lambda data: fraction(accumulate(data), "13C", ["12C", "12C 14N"]),
        lambda data: delta(accumulate(correct(data, **corrected)), *PAIR, OWN),
        lambda data: expression(accumulate(correct(data, **corrected)), "13C/(12C+13C)"),
    ):
        assert_chunk_invariant(operation, stacks)


def test_the_record():
    steps = history(ratio(accumulate(ion_stack()), *PAIR, min_counts=3).attrs)
    assert [step["step"] for step in steps] == ["open_mims", "accumulate", "ratio"]
    assert steps[-1]["parameters"]["numerator"] == ["13C"]
    assert steps[-1]["parameters"]["min_counts"] == 3
    steps = history(expression(ion_stack(), "13C/12C").attrs)
    assert steps[-1]["parameters"]["formula"] == "13C/12C"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("14C", "12C"), {}, "no detector '14C'"),
        (("SE", "12C"), {}, "'SE' counts no ions"),
        (("13C", "13C"), {}, "on both sides"),
        (("13C", []), {}, "name each species once"),
        ((["13C", "13C"], "12C"), {}, "name each species once"),
        (PAIR, {"confidence": 95}, "confidence"),
        (PAIR, {"method": "wald"}, "method"),
    ],
)
def test_wrong_parameters(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ratio(ion_stack(), *arguments, **options)


def test_what_is_no_stack_of_detectors():
    with pytest.raises(ValueError, match="'SE' counts no ions"):
        expression(ion_stack(), "SE/12C")
    with pytest.raises(ValueError, match="dimension 'detector'"):
        ratio(ion_stack().isel(detector=0), *PAIR)
