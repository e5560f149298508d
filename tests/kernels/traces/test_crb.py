"""Bounds against printed vectors, exact arithmetic and Fisher matrices; effective numbers."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.traces.crb import (
    axial_bound,
    effective_numbers,
    excess_error,
    lateral_bound,
    signal_to_background,
)

VECTORS = [(np.inf, 0.8061), (5.0, 0.9469), (2.0, 1.1577)]


def exact_lateral(n, size, fwhm, sbr):
    """The formula in 50 digits."""
    with localcontext(prec=50):
        n, size, fwhm = Decimal(n), Decimal(size), Decimal(fwhm)
        b = Decimal(0) if np.isinf(sbr) else 1 / Decimal(sbr)
        narrow = 1 - size**2 * Decimal(2).ln() / fwhm**2
        root = ((1 + b) * (1 + 3 * b / 4)).sqrt()
        return float(size / (2 * (2 * n).sqrt()) / narrow * root)


def exact_axial(n, size, sbr):
    with localcontext(prec=50):
        b = Decimal(0) if np.isinf(sbr) else 1 / Decimal(sbr)
        return float(Decimal(size) / (4 * Decimal(n).sqrt()) * ((1 + b) * (1 + 2 * b / 3)).sqrt())


def fisher_sigma(intensities, step, n, sbr, dims):
    """Bound from the Fisher matrix of a multinomial, with numerical derivatives at the centre."""

    def shares(r):
        signal = intensities(np.asarray(r, float))
        plain = signal / signal.sum()
        weight = 1.0 if np.isinf(sbr) else sbr / (sbr + 1)
        return weight * plain + (1 - weight) / len(plain)

    at = shares(np.zeros(dims))
    units = np.eye(dims) * step
    slopes = np.array([(shares(u) - shares(-u)) / (2 * step) for u in units])
    lit = at > 1e-12
    fisher = n * (slopes[:, None, lit] * slopes[None, :, lit] / at[lit]).sum(axis=-1)
    return np.sqrt(np.trace(np.linalg.inv(fisher)) / dims)


def donuts(size, fwhm):
    angles = 2 * np.pi * np.arange(3) / 3
    corners = size / 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places = np.concatenate([np.zeros((1, 2)), corners])

    def at(r):
        squares = ((places - r) ** 2).sum(axis=1)
        return squares * np.exp(-4 * np.log(2) * squares / fwhm**2)

    return at


@pytest.mark.parametrize(("sbr", "printed"), VECTORS)
def test_printed_vectors(sbr, printed):
    found = lateral_bound(500, 50.0, 300.0, sbr)
    assert round(float(found), 4) == printed
    np.testing.assert_allclose(found, exact_lateral(500, 50, 300, sbr), rtol=1e-12)


@pytest.mark.parametrize("sbr", [np.inf, 5.0, 2.0, 0.3])
def test_equals_a_numeric_fisher_matrix(sbr):
    wanted = fisher_sigma(donuts(50.0, 300.0), 1e-3, 500, sbr, 2)
    np.testing.assert_allclose(lateral_bound(500, 50.0, 300.0, sbr), wanted, rtol=1e-6)
    places = np.array([-25.0, 0.0, 25.0])
    wanted = fisher_sigma(lambda z: (places - z) ** 2, 1e-3, 150, sbr, 1)
    np.testing.assert_allclose(axial_bound(150, 50.0, sbr), wanted, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 200), st.floats(1e-3, 1e6) | st.just(np.inf))
def test_any_numbers_in_exact_arithmetic(n, size, sbr):
    found = lateral_bound(n, float(size), 300.0, sbr)
    np.testing.assert_allclose(found, exact_lateral(n, size, 300, sbr), rtol=1e-12)
    np.testing.assert_allclose(axial_bound(n, float(size), sbr), exact_axial(n, size, sbr), 1e-12)


def test_units_are_those_of_the_sizes():
    np.testing.assert_allclose(
        lateral_bound([500], 50e-9, 300e-9, [5.0]), [exact_lateral(500, 50, 300, 5) * 1e-9], 1e-12
    )


def test_what_is_not_known_is_nan():
    assert np.isnan(lateral_bound([0, -3, np.nan], 50.0, 300.0)).all()
    assert np.isnan(axial_bound(100, 50.0, [0.0, -1.0, np.nan])).all()
    found = signal_to_background([30e3, 30e3, 30e3, np.nan, 0.0, 30e3], [10e3, 0, 1e9, 1, 0, 30e3])
    np.testing.assert_array_equal(found, [2.0] + 5 * [np.nan])


@pytest.mark.parametrize(
    ("size", "fwhm"), [(0, 300), (-1, 300), (np.nan, 300), (50, 0), (50, np.inf), (361, 300)]
)
def test_sizes_without_a_bound(size, fwhm):
    with pytest.raises(ValueError, match=r"pattern_size|fwhm"):
        lateral_bound(100, size, fwhm)


def test_axial_size():
    with pytest.raises(ValueError, match="pattern_size"):
        axial_bound(100, 0.0)


def test_excess_error():
    found = excess_error([5.0, 2.0, np.nan, 1.0, np.inf], [4.0, 3.0, 1.0, np.nan, 1.0])
    np.testing.assert_array_equal(found, [3.0, 0.0, np.nan, np.nan, np.nan])


def by_numpy(values):
    """Effective number of one series by whole autocovariances."""
    n = len(values)
    apart = values - values[0]
    apart = apart - apart.mean()
    if not apart.any():
        return np.nan
    rho = np.correlate(apart, apart, "full")[n - 1 :] / (apart**2).sum()
    pairs = np.append(rho, np.zeros(n % 2)).reshape(-1, 2).sum(axis=1)
    stop = np.append(np.flatnonzero(pairs[1:] <= 0) + 1, len(pairs))[0]
    falling = np.minimum.accumulate(pairs[:stop])
    return n / np.clip(2 * falling.sum() - 1, 1, n)


def correlated(rng, shape, share):
    """Series along the first axis whose correlation falls by a factor from lag to lag."""
    out = rng.normal(size=shape)
    for row in range(1, len(out)):
        out[row] = share * out[row - 1] + np.sqrt(1 - share**2) * out[row]
    return out


def test_effective_numbers_equal_numpy():
    rng = np.random.default_rng(3)
    lengths = np.append(rng.integers(1, 60, 40), [1, 2, 400])
    starts = np.cumsum(lengths) - lengths
    columns = [correlated(rng, int(lengths.sum()), share) for share in (0.0, 0.5, 0.95)]
    xyz = np.stack(columns, axis=1) + 1e3
    found = effective_numbers(xyz, starts)
    wanted = [[by_numpy(axis) for axis in part.T] for part in np.split(xyz, starts[1:])]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    # the same bits wherever the run lies
    for start, n, row in zip(starts[-5:], lengths[-5:], found[-5:], strict=True):
        alone = effective_numbers(xyz[start : start + n], np.zeros(1, np.int64))
        np.testing.assert_array_equal(alone[0], row)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_known_correlation(share):
    n = 10_000
    series = correlated(np.random.default_rng(7), (n, 60), share)
    found = effective_numbers(series, np.zeros(1, np.int64))[0]
    # one series tells its correlation time to about a fifth, sixty do to a few percent
    np.testing.assert_allclose((n / found).mean(), (1 + share) / (1 - share), rtol=0.06)


def test_a_drift_leaves_few():
    ramp = np.stack([np.arange(500.0), np.zeros(500), -np.arange(500.0)], axis=1)
    found = effective_numbers(ramp, np.zeros(1, np.int64))[0]
    assert found[0] == found[2] < 5
    assert np.isnan(found[1])


def test_no_runs():
    assert effective_numbers(np.empty((0, 3)), np.zeros(0, np.int64)).shape == (0, 3)
