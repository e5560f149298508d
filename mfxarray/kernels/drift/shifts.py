"""The shift of one time window against another, from their cross-correlation at small lags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from mfxarray.kernels.drift.points import STEPS

__all__ = [
    "Peak",
    "centroid_of",
    "contrast_of",
    "find_shifts",
    "margin_of",
    "smooth_lags",
    "taps_of",
]

Array = np.ndarray[Any, Any]

_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class Peak:
    """How a peak is located, lengths in pixels.

    Attributes
    ----------
    fwhm
        Width of the Gaussian that stands for a localization.
    centroid
        Width of the Gaussian weight of the centroid, CR in the paper.
    search
        Largest lag looked at along each axis.
    iterations
        Of the centroid.
    from_maximum
        Whether the centroid starts from the largest value, otherwise from lag 0.
    """

    fwhm: float
    centroid: float
    search: int
    iterations: int
    from_maximum: bool


def margin_of(peak: Peak) -> int:
    """Return how many lags beyond the search the Gaussians reach, pixels."""
    return max(int(np.ceil(3.0 * np.sqrt(2.0) * peak.fwhm / _FWHM)), 1)


def find_shifts(lags: Array, peak: Peak) -> tuple[Array, Array]:
    """Return the shift and its quality for every pair of windows.

    Parameters
    ----------
    lags
        Result of `drift_lags.count_lags` with a reach of search plus `margin_of`.
    peak
        How to locate.

    Returns
    -------
    shifts, quality
        Pixels, shape (pair, 3) along x, y, z; and shape (pair, 2): by what share the correlation at
        the shift is above the largest value further from it than ``centroid``, 0 to 1, and the
        correlation at the shift, in pairs of localizations. The shift is NaN and the quality 0
        where there is no correlation, or a flat one.
    """
    deep = lags.shape[1] > 1
    taps, scale = taps_of(peak), float(STEPS) ** (3 if deep else 2)
    shifts = np.full((len(lags), 3), np.nan)
    quality = np.zeros((len(lags), 2))
    for pair in range(len(lags)):
        smooth = smooth_lags(lags[pair], taps) / scale
        low, high = smooth.min(), smooth.max()
        if not high > low * (1.0 + 1e-12):
            continue
        start = np.zeros(3)
        if peak.from_maximum:
            at = np.unravel_index(np.argmax(smooth), smooth.shape)
            start = np.array(at, float) - (np.array(smooth.shape) - 1) // 2
        centre = centroid_of(smooth - low, start, peak.centroid, peak.iterations)
        if np.isfinite(centre).all():
            shifts[pair] = centre[::-1]
            quality[pair] = contrast_of(smooth, centre, peak.centroid)
    return shifts, quality


def taps_of(peak: Peak) -> Array:
    """Return the Gaussian around a lag, at whole pixels."""
    margin = margin_of(peak)
    # sharing among lags blurs by f (1 - f), a sixth on average, which the Gaussian leaves out
    variance = max(2.0 * (peak.fwhm / _FWHM) ** 2 - 1.0 / 6.0, 1e-3)
    return np.asarray(np.exp(-(np.arange(-margin, margin + 1.0) ** 2) / (2.0 * variance)))


def contrast_of(smooth: Array, centre: Array, apart: float) -> tuple[float, float]:
    """Return by what share the value at a lag is above the next ones, and the value."""
    size = np.array(smooth.shape)
    at = np.clip(np.rint(centre).astype(int) + (size - 1) // 2, 0, size - 1)
    top = float(smooth[tuple(at)])
    if top <= 0.0:
        return 0.0, 0.0
    low, high = np.maximum(at - int(apart), 0), at + int(apart) + 1
    rest = smooth.copy()
    rest[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = 0.0
    second = float(rest.max())
    return max(1.0 - second / top, 0.0), top


@numba.njit(nogil=True, cache=True)
def smooth_lags(values, taps):  # type: ignore[no-untyped-def]
    """Return values convolved with taps along each axis in use, without the margins."""
    nz, ny, nx = values.shape
    n = nx - len(taps) + 1
    along_x = np.zeros((nz, ny, n))
    for k in range(nz):
        for i in range(ny):
            # in 3D most rows hold no pair at all
            if not values[k, i].any():
                continue
            for t in range(len(taps)):
                for j in range(n):
                    along_x[k, i, j] += taps[t] * values[k, i, j + t]
    along_y = np.zeros((nz, n, n))
    for k in range(nz):
        for i in range(n):
            for t in range(len(taps)):
                for j in range(n):
                    along_y[k, i, j] += taps[t] * along_x[k, i + t, j]
    if nz == 1:
        return along_y
    along_z = np.zeros((n, n, n))
    for k in range(n):
        for t in range(len(taps)):
            for i in range(n):
                for j in range(n):
                    along_z[k, i, j] += taps[t] * along_y[k + t, i, j]
    return along_z


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp"})
def centroid_of(values, start, width, iterations):  # type: ignore[no-untyped-def]
    """Return the weighted centroid (z, y, x) from the middle, the weight following it."""
    nz, ny, nx = values.shape
    mz, my, mx = (nz - 1) // 2, (ny - 1) // 2, (nx - 1) // 2
    z, y, x = start[0], start[1], start[2]
    factor = -4.0 * np.log(2.0) / (width * width)
    wx = np.empty(nx)
    for _ in range(iterations):
        for j in range(nx):
            wx[j] = np.exp(factor * (j - mx - x) ** 2)
        total = sum_z = sum_y = sum_x = 0.0
        for k in range(nz):
            wz = np.exp(factor * (k - mz - z) ** 2)
            for i in range(ny):
                wy = wz * np.exp(factor * (i - my - y) ** 2)
                row = moment = 0.0
                for j in range(nx):
                    part = wx[j] * values[k, i, j]
                    row += part
                    moment += part * (j - mx)
                total += wy * row
                sum_x += wy * moment
                sum_y += wy * row * (i - my)
                sum_z += wy * row * (k - mz)
        if not total > 0.0:
            return np.full(3, np.nan)
        z, y, x = sum_z / total, sum_y / total, sum_x / total
    return np.array([z, y, x])
