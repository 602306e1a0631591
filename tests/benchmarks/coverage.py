"""How often intervals hold the truth, and how wide they are: simulated surveys, biased annotators.

    python tests/benchmarks/coverage.py [--surveys 2000]

A survey of 5,000 papers of ten years is drawn from a field where a share of papers uses a dataset,
more of them each year. An annotator says which do, with a sensitivity that grows over the years
and false alarms that grow too. Gold papers are drawn by chance: equally many from each (said, year)
stratum, or simply from all. Coverage is the share of surveys whose 95% interval holds the share of
the field; width is the median, in percentage points. `told` is the share of surveys that gold
papers sufficed for. The second table is of shares among papers that transfer, where the annotator
errs on which papers do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from data.correction import (
    Counts,
    Estimate,
    among_transfers,
    prediction_powered,
    rogan_gladen,
    stratified,
)
from data.intervals import wilson_bounds

Array = NDArray[np.float64]
N = 5000
YEARS = np.array([200, 240, 280, 340, 400, 480, 560, 640, 720, 1140])
DESIGNS = {"stratified": 160, "simple": 150, "stratified, more": 400, "stratified, few": 60}
PREVALENCES = (0.45, 0.10, 0.02)
ANNOTATORS = ((0.80, 0.95), (0.90, 0.90), (0.85, 0.995), (0.70, 0.99))


@dataclass(frozen=True)
class Surveys:
    """Simulated surveys. *Shape:* (n_surveys, years, said, true) each.

    Args:
        papers: counts of papers.
        gold: counts of gold papers.
        weight: of a gold paper. *Shape:* (n_surveys, years, said).
    """

    papers: NDArray[np.int64]
    gold: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def counts(self) -> Counts:
        """What the estimators see."""
        weight = self.weight[..., None]
        return Counts(
            self.papers.sum((1, 3)).astype(float),
            self.gold.sum(1).astype(float),
            (self.gold * weight).sum(1),
            (self.gold * weight**2).sum(1),
        )


def simulate(
    rng: np.random.Generator,
    n_surveys: int,
    prevalence: float,
    annotator: tuple[float, float],
    design: str,
) -> Surveys:
    """Surveys of a field with this prevalence, read by an annotator (sensitivity, specificity)."""
    sensitivity, specificity = annotator
    shares = np.linspace(0.6, 1.25, len(YEARS))
    shares *= prevalence / np.average(shares, weights=YEARS)
    found = np.linspace(sensitivity - 0.10, min(sensitivity + 0.08, 1), len(YEARS))
    alarms = np.linspace(0.5, 1.5, len(YEARS)) * (1 - specificity)
    users = rng.binomial(YEARS, shares, (n_surveys, len(YEARS)))
    papers = np.zeros((n_surveys, len(YEARS), 2, 2), np.int64)
    papers[..., 1, 1] = rng.binomial(users, found)
    papers[..., 0, 1] = users - papers[..., 1, 1]
    papers[..., 1, 0] = rng.binomial(YEARS - users, alarms)
    papers[..., 0, 0] = YEARS - users - papers[..., 1, 0]
    return _drawn(rng, papers, design)


def _drawn(rng: np.random.Generator, papers: NDArray[np.int64], design: str) -> Surveys:
    n_gold = DESIGNS[design]
    if design == "simple":
        gold = np.array([rng.multivariate_hypergeometric(p.ravel(), n_gold) for p in papers])
        return Surveys(papers, gold.reshape(papers.shape), np.full(papers.shape[:3], N / n_gold))
    held = papers.sum(-1)
    drawn = np.minimum(held, n_gold // (2 * len(YEARS)))
    right = rng.hypergeometric(papers[..., 1], papers[..., 0], drawn)
    weight = np.where(drawn > 0, held / np.maximum(drawn, 1), 0.0)
    return Surveys(papers, np.stack([drawn - right, right], -1), weight)


def estimates(surveys: Surveys) -> Iterator[tuple[str, Estimate]]:
    """Each way's estimates, by its name."""
    counts = surveys.counts
    yield "stratified (ours)", stratified(counts)
    for name, bounds in (("Wilson", wilson_bounds), ("exact", exact_bounds), ("normal", normal)):
        with mock.patch("data.correction.jeffreys_bounds", bounds):
            yield f"stratified, {name} in each part", stratified(counts)
    said = counts.papers[:, 1]
    yield "raw, Wilson", Estimate(said / N, *wilson_bounds(said, np.full(len(said), N)))
    weight, weight2 = counts.weight.sum((1, 2)), counts.weight2.sum((1, 2))
    size = weight**2 / weight2
    share = counts.weight[..., 1].sum(1) / weight
    yield "gold alone, Wilson", Estimate(share, *wilson_bounds(share * size, size))
    yield "PPI", _prediction_powered(surveys, 1.0)
    yield "PPI++", _prediction_powered(surveys, None)
    yield "Rogan-Gladen", rogan_gladen(counts, counts)


def exact_bounds(successes: Array, n: Array) -> tuple[Array, Array]:
    """Clopper and Pearson's interval."""
    low = betaincinv(np.maximum(successes, 1e-9), n - successes + 1, 0.025)
    high = betaincinv(successes + 1, np.maximum(n - successes, 1e-9), 0.975)
    return np.where(successes > 0, low, 0.0), np.where(successes < n, high, 1.0)


def normal(successes: Array, n: Array) -> tuple[Array, Array]:
    """The interval by the normal approximation, as PPI's is."""
    share = successes / np.maximum(n, 1)
    half = 1.96 * np.sqrt(share * (1 - share) / np.maximum(n, 1))
    return share - half, share + half


def _prediction_powered(surveys: Surveys, tuning: float | None) -> Estimate:
    said, true = (np.tile(each, len(YEARS)) for each in ([0, 0, 1, 1], [0, 1, 0, 1]))
    rows = []
    for papers, gold, weight in zip(surveys.papers, surveys.gold, surveys.weight, strict=True):
        n = gold.reshape(-1)
        unread = (papers - gold).sum((0, 2))
        told = prediction_powered(
            np.repeat(true, n).astype(float),
            np.repeat(said, n).astype(float),
            np.repeat([0.0, 1.0], unread),
            weight=np.repeat(np.repeat(weight.reshape(-1), 2), n),
            tuning=tuning,
        )
        rows.append(told)
    return Estimate(*np.array(rows).T)


def held(estimate: Estimate, truth: float) -> tuple[float, float, float]:
    """(coverage, median width, share told)."""
    told = np.isfinite(estimate.value)
    if not told.any():
        return float("nan"), float("nan"), 0.0
    low, high = estimate.low[told], estimate.high[told]
    return (
        float(((low <= truth) & (truth <= high)).mean()),
        float(np.median(high - low)),
        told.mean(),
    )


def transferring(
    rng: np.random.Generator, n_surveys: int, transfer: float, share: float, n_gold: int
) -> Counts:
    """Surveys of which `transfer` have a source, and of these `share` this one.

    Classes as in `Counts`; gold papers are drawn half from those said to have a source.
    """
    true = np.array([1 - transfer, transfer * (1 - share), transfer * share])
    says = np.array([[0.96, 0.03, 0.01], [0.15, 0.80, 0.05], [0.12, 0.08, 0.80]])
    papers = rng.multinomial(N, (true[:, None] * says).T.ravel(), n_surveys).reshape(-1, 3, 3)
    gold = np.zeros_like(papers)
    for each, drawn in zip(papers, gold, strict=True):
        drawn[0] = rng.multivariate_hypergeometric(each[0], n_gold // 2)
        some = rng.multivariate_hypergeometric(each[1:].ravel(), n_gold // 2)
        drawn[1:] = some.reshape(2, 3)
    sizes = papers.sum(-1).astype(float)
    weight = np.stack([sizes[:, 0], sizes[:, 1:].sum(1), sizes[:, 1:].sum(1)], 1) / (n_gold // 2)
    weights = gold * weight[..., None]
    return Counts(sizes, gold.astype(float), weights, weights * weight[..., None])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=2000)
    n = parser.parse_args().surveys
    rng = np.random.default_rng(20261126)
    print("| gold | share | se, sp | way | coverage % | width | told |")
    print("|---|---|---|---|---|---|---|")
    for design, n_gold in DESIGNS.items():
        for prevalence in PREVALENCES:
            for annotator in ANNOTATORS:
                surveys = simulate(rng, n, prevalence, annotator, design)
                for way, estimate in estimates(surveys):
                    coverage, width, told = held(estimate, prevalence)
                    print(
                        f"| {n_gold} {design} | {prevalence} | {annotator[0]}, {annotator[1]} | "
                        f"{way} | {100 * coverage:.1f} | {100 * width:.1f} | {told:.2f} |"
                    )
    print("\n| gold | transfer | share | coverage % | width |\n|---|---|---|---|---|")
    for n_gold in (60, 160, 400):
        for transfer in (0.6, 0.25):
            for share in (0.7, 0.2, 0.05):
                estimate = among_transfers(transferring(rng, n, transfer, share, n_gold))
                coverage, width, _ = held(estimate, share)
                told = f"{100 * coverage:.1f} | {100 * width:.1f}"
                print(f"| {n_gold} | {transfer} | {share} | {told} |")


if __name__ == "__main__":
    main()
