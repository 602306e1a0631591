"""How often intervals hold the truth, and how wide they are: simulated surveys, biased annotators.

    python tests/benchmarks/coverage.py [--surveys 2000] [--table changes concentration]

A survey of 5,000 papers of ten years is drawn from a field where a share of papers uses a dataset,
more of them each year. An annotator says which do, with a sensitivity that grows over the years
and false alarms that grow too. Gold papers are drawn by chance: equally many from each (said, year)
stratum, or simply from all. Coverage is the share of surveys whose 95% interval holds the share of
the field; width is the median, in percentage points. `told` is the share of surveys that gold
papers sufficed for.

`changes` is of the change of a share between the earlier and the later half of the papers;
`transfers` of shares among papers that transfer, where the annotator errs on which papers do;
`concentration` of the effective number of datasets, the inverse of the Herfindahl index: what
surveys of that size would show on average if the annotator made no errors.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

from data.correction import (
    Counts,
    Estimate,
    among_transfers,
    prediction_powered,
    rogan_gladen,
    stratified,
)
from data.correction_hhi import MIN_USING, herfindahl
from data.intervals import difference, wilson_bounds

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
        return self.counts_of(slice(None))

    def counts_of(self, years: slice) -> Counts:
        """What they see of some years."""
        weight, gold = self.weight[:, years, :, None], self.gold[:, years]
        return Counts(
            self.papers[:, years].sum((1, 3)).astype(float),
            gold.sum(1).astype(float),
            (gold * weight).sum(1),
            (gold * weight**2).sum(1),
        )


def shares_of(prevalence: float) -> Array:
    """The share of each year."""
    shares = np.linspace(0.6, 1.25, len(YEARS))
    return np.asarray(shares * prevalence / np.average(shares, weights=YEARS))


def simulate(
    rng: np.random.Generator,
    n_surveys: int,
    prevalence: float,
    annotator: tuple[float, float],
    design: str,
) -> Surveys:
    """Surveys of a field with this prevalence, read by an annotator (sensitivity, specificity)."""
    sensitivity, specificity = annotator
    shares = shares_of(prevalence)
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


_CUT = 7  # half of the papers are of the first seven years


def change(surveys: Surveys) -> Estimate:
    """The corrected share of the later years less that of the earlier ones."""
    later, before = (
        stratified(surveys.counts_of(years)) for years in (slice(_CUT, None), slice(_CUT))
    )
    return Estimate(
        *difference((later.value, later.low, later.high), (before.value, before.low, before.high))
    )


def true_change(prevalence: float) -> float:
    """That of the field."""
    shares = shares_of(prevalence)
    later, before = (
        np.average(shares[years], weights=YEARS[years])
        for years in (slice(_CUT, None), slice(_CUT))
    )
    return float(later - before)


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


Ints = NDArray[np.int64]
GOLD_USES = (("simple", 200), ("stratified", 80), ("stratified", 200), ("stratified", 400))


def _fading(n: int, power: float) -> Array:
    weight = np.arange(1.0, n + 1) ** -power
    return np.asarray(weight / weight.sum())


# How uses are spread over datasets.
FIELDS = {
    "one leads": np.r_[0.6, 0.4 * _fading(59, 1)],
    "two lead": np.r_[0.35, 0.2, 0.45 * _fading(58, 0.8)],
    "long tail": _fading(60, 0.8),
    "300, nearly even": _fading(300, 0.5),
}
# Sensitivity to the first three datasets, and to the others; how often a missed one is taken for
# the first; false alarms a paper, half of them of the first.
READERS = {
    "good": (0.9, 0.8, 0.1, 0.01),
    "misses": (0.6, 0.5, 0.0, 0.01),
    "false alarms": (0.85, 0.6, 0.3, 0.04),
    "misses the rare": (0.9, 0.2, 0.5, 0.02),
    "nearly perfect": (0.985, 0.97, 0.0, 0.001),
}


@dataclass(frozen=True)
class UsesOf:
    """A survey's uses as codes, paper * n_datasets + dataset, each once and in order."""

    true: Ints
    said: Ints
    n_papers: int
    n_datasets: int


def simulate_uses(
    rng: np.random.Generator, field: str, transfer: float, reader: str, *, n_papers: int = N
) -> UsesOf:
    """A survey of which `transfer` use one to three datasets, and what a reader makes of it."""
    popular = FIELDS[field]
    d = len(popular)
    using = np.flatnonzero(rng.random(n_papers) < transfer)
    paper = np.repeat(using, rng.choice([1, 2, 3], len(using), p=[0.75, 0.18, 0.07]))
    true = np.unique(paper * d + rng.choice(d, len(paper), p=popular))
    first, others, taken, alarms = READERS[reader]
    seen = rng.random(len(true)) < np.where(true % d < 3, first, others)
    missed = true[~seen] // d
    confused = missed[rng.random(len(missed)) < taken] * d
    alarmed = np.flatnonzero(rng.random(n_papers) < alarms)
    invented = rng.choice(d, len(alarmed), p=np.r_[0.5, 0.5 * _fading(d - 1, 0.5)])
    said = np.unique(np.r_[true[seen], confused, alarmed * d + invented])
    return UsesOf(true, said, n_papers, d)


@dataclass(frozen=True)
class GoldUses:
    """Gold papers: what the annotator says and what is true. *Shape:* (n, n_datasets), and (n,)."""

    said: Array
    true: Array
    weight: Array


def read_uses(rng: np.random.Generator, survey: UsesOf, design: str, n_gold: int) -> GoldUses:
    """Gold papers: simply drawn, or half of those that are said to use any."""
    n = survey.n_papers
    some = np.unique(survey.said // survey.n_datasets)
    parts = [np.arange(n)] if design == "simple" else [some, np.setdiff1d(np.arange(n), some)]
    each = n_gold // len(parts)
    drawn = [rng.choice(part, min(each, len(part)), replace=False) for part in parts]
    weight = [
        np.full(len(own), len(part) / len(own)) for own, part in zip(drawn, parts, strict=True)
    ]
    papers = np.concatenate(drawn)
    tables = (_table(codes, papers, survey) for codes in (survey.said, survey.true))
    return GoldUses(*tables, np.concatenate(weight))


def _table(codes: Ints, papers: Ints, survey: UsesOf) -> Array:
    place = np.full(survey.n_papers, -1)
    place[papers] = np.arange(len(papers))
    row, item = place[codes // survey.n_datasets], codes % survey.n_datasets
    table = np.zeros((len(papers), survey.n_datasets))
    table[row[row >= 0], item[row >= 0]] = 1
    return table


def index_of(codes: Ints, survey: UsesOf) -> float:
    """The Herfindahl index of uses."""
    counts = np.bincount(codes % survey.n_datasets)
    return float((counts**2).sum() / counts.sum() ** 2)


Bounds: TypeAlias = tuple[float, float, float]


def indices(survey: UsesOf, gold: GoldUses) -> Iterator[tuple[str, Bounds]]:
    """Each way's index with its interval, by its name."""
    paper, item = np.divmod(survey.said, survey.n_datasets)
    yield "gold alone (ours)", herfindahl(gold.true, gold.weight)
    yield "difference", _difference(paper, item, gold, survey.n_papers)
    yield "raw", _raw(paper, item, survey.n_papers)


def _difference(paper: Ints, item: Ints, gold: GoldUses, n_papers: int) -> Bounds:
    """What the annotator says of all papers, plus the errors of gold papers by their weights."""
    wrong, w = gold.true - gold.said, gold.weight[:, None]
    said = np.bincount(item, minlength=wrong.shape[1])
    said, wrong = np.r_[said, said.sum()], np.c_[wrong, wrong.sum(1)]
    parts = [w, w * wrong, w * (w - 1), w * (w - 1) * wrong, w * (w - 1) * wrong**2]

    def index(n: int, sums: list[Array]) -> Array:
        mean = sums[1] / sums[0]
        variance = (n_papers / sums[0]) ** 2 * n / (n - 1)
        variance = variance * (sums[4] - 2 * mean * sums[3] + mean**2 * sums[2])
        squares = (said + n_papers * mean) ** 2 - variance
        return np.asarray(squares[..., :-1].sum(-1) / squares[..., -1])

    n, every = len(w), [part.sum(0) for part in parts]
    value = float(index(n, every))
    if value <= 0 or (gold.true.sum(1) > 0).sum() < MIN_USING:
        return (np.nan,) * 3
    left = index(n - 1, [all_ - own for all_, own in zip(every, parts, strict=True)])
    spread = (n - 1) / n * (left - left.mean()) ** 2
    counts = said + n_papers * every[1] / every[0]
    slope = 2 * counts[:-1] / counts[-1] ** 2 - 2 * value / counts[-1]
    variance = spread.sum() + _published(paper, slope[item], n_papers)
    freedom = variance**2 / max((spread**2).sum(), 1e-300)
    half = stdtrit(np.clip(freedom, 1, 1e6), 0.975) * np.sqrt(variance) / value
    return value, value * np.exp(-half), value * np.exp(half)


def _published(paper: Ints, adds: Array, n_papers: int) -> float:
    """Variance of a sum over papers by which were published."""
    by_paper = np.bincount(paper, weights=adds)
    return float((by_paper**2).sum() - by_paper.sum() ** 2 / n_papers)


def _raw(paper: Ints, item: Ints, n_papers: int) -> Bounds:
    counts = np.bincount(item)
    value = (counts**2).sum() / len(item) ** 2
    slope = 2 * counts / len(item) ** 2 - 2 * value / len(item)
    half = 1.96 * np.sqrt(_published(paper, slope[item], n_papers))
    return float(value), float(value - half), float(value + half)


def concentrations(
    rng: np.random.Generator, n_surveys: int, setting: tuple[str, float, str, str, int]
) -> tuple[float, dict[str, Array]]:
    """(index of the field, way -> values, lows, highs). *Shape of these:* (n_surveys, 3)."""
    field, transfer, reader, design, n_gold = setting
    truth, told = [], dict[str, list[Bounds]]()
    for _ in range(n_surveys):
        survey = simulate_uses(rng, field, transfer, reader)
        truth.append(index_of(survey.true, survey))
        for way, bounds in indices(survey, read_uses(rng, survey, design, n_gold)):
            told.setdefault(way, []).append(bounds)
    return float(np.mean(truth)), {way: np.array(rows) for way, rows in told.items()}


def _print_shares(n: int) -> None:
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


def _print_changes(n: int) -> None:
    rng = np.random.default_rng(20261126)
    print("| gold | share | se, sp | change | coverage % | width | told |")
    print("|---|---|---|---|---|---|---|")
    for design, prevalence, annotator in product(DESIGNS, PREVALENCES, ANNOTATORS):
        found = change(simulate(rng, n, prevalence, annotator, design))
        coverage, width, told = held(found, true_change(prevalence))
        print(
            f"| {DESIGNS[design]} {design} | {prevalence} | {annotator[0]}, {annotator[1]} | "
            f"{100 * true_change(prevalence):.1f} | {100 * coverage:.1f} | {100 * width:.1f} | "
            f"{told:.2f} |"
        )


def _print_transfers(n: int) -> None:
    rng = np.random.default_rng(20261126)
    print("| gold | transfer | share | coverage % | width |\n|---|---|---|---|---|")
    for n_gold in (60, 160, 400):
        for transfer in (0.6, 0.25):
            for share in (0.7, 0.2, 0.05):
                estimate = among_transfers(transferring(rng, n, transfer, share, n_gold))
                coverage, width, _ = held(estimate, share)
                told = f"{100 * coverage:.1f} | {100 * width:.1f}"
                print(f"| {n_gold} | {transfer} | {share} | {told} |")


def _print_concentration(n: int) -> None:
    rng = np.random.default_rng(20261126)
    print(
        "| field | transfer | reader | gold | effective number | way | coverage % | width | told |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for place, setting in enumerate(product(FIELDS, (0.5, 0.1), READERS, GOLD_USES)):
        rng = np.random.default_rng([20261126, place])
        field, transfer, reader, (design, n_gold) = setting
        truth, told = concentrations(rng, n, (field, transfer, reader, design, n_gold))
        for way, rows in told.items():
            estimate = Estimate(1 / rows[:, 0], 1 / rows[:, 2], 1 / rows[:, 1])
            coverage, width, share = held(estimate, 1 / truth)
            print(
                f"| {field} | {transfer} | {reader} | {n_gold} {design} | {1 / truth:.1f} | {way} "
                f"| {100 * coverage:.1f} | {width:.2f} | {share:.2f} |",
                flush=True,
            )


_TABLES = {
    "shares": _print_shares,
    "changes": _print_changes,
    "transfers": _print_transfers,
    "concentration": _print_concentration,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=2000)
    parser.add_argument("--table", nargs="+", choices=_TABLES, default=list(_TABLES))
    asked = parser.parse_args()
    for name in asked.table:
        _TABLES[name](asked.surveys)
        print()


if __name__ == "__main__":
    main()
