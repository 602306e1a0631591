"""Intervals of shares, of their weighted sums and of their differences. Pure; numpy arrays."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
CONFIDENCE = 0.95


def z_of(confidence: float = CONFIDENCE) -> float:
    """The standard normal quantile that leaves (1 - confidence) / 2 above it."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: int, n: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) for n = 0.

    Source: Wilson (1927), doi:10.1080/01621459.1927.10502953, without continuity correction.

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    low, high = wilson_bounds(successes, n, confidence=confidence)
    return float(low), float(high)


def wilson_bounds(
    successes: ArrayLike, n: ArrayLike, *, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """`wilson` for arrays that broadcast; n and successes may be effective, not whole, numbers."""
    k, size = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    z = z_of(confidence)
    some = np.where(size > 0, size, 1.0)
    share = k / some
    centre = share + z * z / (2 * some)
    half = z * np.sqrt(np.maximum(share * (1 - share), 0) / some + z * z / (4 * some * some))
    scale = 1 + z * z / some
    # At the ends the bound is exact, and rounding must not step over it.
    low = np.where((k <= 0) | (size <= 0), 0.0, (centre - half) / scale)
    high = np.where((k >= size) | (size <= 0), 1.0, (centre + half) / scale)
    return low, high


def jeffreys_bounds(
    successes: ArrayLike, n: ArrayLike, *, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Jeffreys' interval of a share: quantiles of Beta(successes + 1/2, failures + 1/2).

    The lower bound is 0 without successes, the upper 1 without failures; n may be effective.

    Source: Brown, Cai & DasGupta (2001), doi:10.1214/ss/1009213286, section 3.1.3 and 4.3.
    """
    from scipy.special import betaincinv

    k, size = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    k = np.clip(k, 0, size)
    tail = (1 - confidence) / 2
    low = np.where(k <= 0, 0.0, betaincinv(k + 0.5, size - k + 0.5, tail))
    high = np.where(k >= size, 1.0, betaincinv(k + 0.5, size - k + 0.5, 1 - tail))
    return low, high


def effective_size(weight: ArrayLike, weight2: ArrayLike) -> Floats:
    """Kish's effective size of a weighted sample: as many equal weights would tell as much.

    Args:
        weight: sum of the weights.
        weight2: sum of their squares.

    Source: Kish (1965), Survey Sampling, 11.7.

    >>> float(effective_size(1 + 1 + 4, 1 + 1 + 16))
    2.0
    """
    total, squares = np.asarray(weight, float), np.asarray(weight2, float)
    return np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1), 0.0)


def difference(
    first: tuple[ArrayLike, ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    correlation: ArrayLike = 0.0,
) -> tuple[Floats, Floats, Floats]:
    """The difference of two estimates and its interval, from their own intervals (MOVER).

    With Wilson's intervals and no correlation this is Newcombe's hybrid score interval.

    Args:
        first: estimate, low, high.
        second: likewise; it is taken from the first.
        correlation: of the two estimates, as where two samples share papers.

    Source: Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
        method 10; Zou & Donner (2008), doi:10.1002/sim.3095.
    """
    p, p_low, p_high = (np.asarray(part, float) for part in first)
    q, q_low, q_high = (np.asarray(part, float) for part in second)
    rho = np.asarray(correlation, float)
    down = _together(p - p_low, q_high - q, rho)
    up = _together(p_high - p, q - q_low, rho)
    return p - q, p - q - down, p - q + up


def _together(a: Floats, b: Floats, rho: Floats) -> Any:
    return np.sqrt(np.maximum(a * a - 2 * rho * a * b + b * b, 0))


def two_sided_p(estimate: ArrayLike, error: ArrayLike) -> Floats:
    """The two-sided p of an estimate that is normal with this standard error, if nothing is there.

    1 where both are 0, since then nothing speaks against equality.
    """
    from scipy.special import ndtr

    value, spread = np.broadcast_arrays(np.asarray(estimate, float), np.asarray(error, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, np.abs(value) / spread, np.where(value == 0, 0.0, np.inf))
    return np.asarray(2 * ndtr(-z), float)


def holm(p: ArrayLike) -> Floats:
    """p-values that hold for all of them together: Holm's step-down adjustment.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
