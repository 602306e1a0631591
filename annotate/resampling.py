"""The bootstrap over papers: uses of one paper are not independent of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

RESAMPLES = 2000
_BATCH = 250  # samples drawn at once: bounds the memory where there are many papers


def resampled(counts: Any, *, resamples: int = RESAMPLES, seed: int = 0) -> Any:
    """Sums of counts over papers drawn with replacement, as many as there are.

    Args:
        counts: what each paper adds to each sum. *Shape:* (n_papers, k)
        resamples: samples.

    Returns: *Shape:* (resamples, k); zeros where there is no paper.
    """
    counts = np.asarray(counts, dtype=float)
    n_papers = len(counts)
    if n_papers == 0:
        return np.zeros((resamples, counts.shape[1]))
    rng = np.random.default_rng(seed)
    chances = np.full(n_papers, 1 / n_papers)
    return np.concatenate(
        [
            rng.multinomial(n_papers, chances, size=min(_BATCH, resamples - done)) @ counts
            for done in range(0, resamples, _BATCH)
        ]
    )


def interval(values: Any) -> tuple[float, float] | None:
    """The 2.5th and 97.5th percentile of the values that are numbers; None if none is."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
