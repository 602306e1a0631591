"""Measure what a source is worth on a target. Open `run` first.

One cell (source, target, strategy, amount of training images, seed) is one part of `results/`,
named for all that shapes it, so a stopped run continues and a repeated one measures nothing twice.
Its test probabilities are in `experiments/predictions/`, under the same name, for comparisons.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from data.corpus import Corpus, write_whole
from data.errors import InputError
from data.records import Result
from experiments import features
from experiments.carbon import Cost, Meter
from experiments.features import slug
from experiments.machine import Machine
from experiments.metrics import (
    Scores,
    auc,
    auc_interval,
    balanced_accuracy,
    brier,
    calibration_error,
)
from experiments.probe import probe
from experiments.sources import Source
from experiments.targets import Labels, Split, Target, n_shared
from experiments.training import (
    Classifier,
    Job,
    Recipe,
    classifier,
    examples,
    predicted,
    probabilities,
    tuned,
)

Strategy = Literal["linear probe", "full fine-tune"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
PREPARATIONS = ("pretraining", "features")  # strategies of rows that tell a cost and no quality
_VERSION = 2  # of this code, where it changes what comes out


@dataclass(frozen=True, slots=True)
class Amount:
    """How many training images are used.

    Args:
        value: a share in (0, 1], or a count.
        unit: `share` of each class, `images` in all (in the classes' proportion), or images
            `per class`.
    """

    value: float
    unit: Literal["share", "images", "per class"] = "share"

    def __str__(self) -> str:
        if self.unit == "share":
            return f"{self.value:g}"
        return f"{self.value:g} {self.unit}"


ALL = Amount(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement to make."""

    source: Source
    target: Target
    strategy: Strategy
    amount: Amount
    seed: int
    size_px: int
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def name(self) -> str:
        """The name of its part of `results/`."""
        shaped = astuple(self.recipe) if self.strategy == "full fine-tune" else ()
        told = (
            self.source.id,
            self.source.model,
            self.source.checksum(),
            self.target.sha256,
            self.strategy,
            str(self.amount),
            self.seed,
            self.size_px,
            shaped,
            _VERSION,
        )
        digest = hashlib.sha256(repr(told).encode()).hexdigest()[:12]
        kind = "probe" if self.strategy == "linear probe" else "tune"
        return slug(
            kind, self.source.id, self.target.name, str(self.amount), f"s{self.seed}", digest
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that could not be measured, and why."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did."""

    measured: int
    failures: list[Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lab:
    """Where a cell is measured, and what measures it."""

    corpus: Corpus
    machine: Machine
    meter: Meter
    clock: Callable[[], datetime]


def cells(
    pairs: Sequence[tuple[Source, Target]],
    *,
    strategies: Sequence[Strategy] = STRATEGIES,
    amounts: Sequence[Amount] = (ALL,),
    seeds: int,
    size_px: int,
    recipe: Recipe | None = None,
) -> Iterator[Cell]:
    """The cells of a run. Where no seed can change anything (a probe of fixed weights on all
    training images) there is one cell, so that no spread of zero is taken for certainty.
    """
    for source, target in pairs:
        for strategy in strategies:
            for amount in amounts:
                is_fixed = strategy == "linear probe" and amount == ALL and not source.is_seeded
                for seed in range(1 if is_fixed else seeds):
                    yield Cell(
                        source=source,
                        target=target,
                        strategy=strategy,
                        amount=amount,
                        seed=seed,
                        size_px=size_px,
                        recipe=recipe or Recipe(),
                    )


def is_done(corpus: Corpus, cell: Cell) -> bool:
    """Whether the survey holds the cell's results."""
    return (corpus.path / "results" / f"{cell.name}.parquet").exists()


def run(
    corpus: Corpus,
    planned: Sequence[Cell],
    *,
    machine: Machine,
    meter: Meter,
    clock: Callable[[], datetime],
    progress: Callable[[Cell], None] = lambda cell: None,
) -> Outcome:
    """Measure the cells that the survey does not hold yet.

    A cell that cannot be measured is kept apart with its reason, and the others go on. A pair
    whose source has seen images that the target is judged by is not measured.

    Args:
        clock: gives the time, UTC.
        progress: is told each cell that is done or was there.
    """
    lab = _Lab(corpus=corpus, machine=machine, meter=meter, clock=clock)
    measured, failures = 0, []
    leaks: dict[tuple[str, str], int] = {}
    for cell in planned:
        if not is_done(corpus, cell):
            try:
                _check_leaks(cell, leaks)
                _prepare(lab, cell)
                _measure(lab, cell)
                measured += 1
            except InputError as e:
                failures.append(Failure(cell, str(e)))
        progress(cell)
    return Outcome(measured, failures)


def _check_leaks(cell: Cell, known: dict[tuple[str, str], int]) -> None:
    if cell.source.pretraining is None:
        return
    trained_on = cell.source.pretraining.images
    pair = trained_on.sha256, cell.target.sha256
    if pair not in known:
        known[pair] = n_shared(trained_on, cell.target)
    if known[pair]:
        raise InputError(
            f"{known[pair]} validation or test images of {cell.target.name} are among those that "
            f"{cell.source.id} was trained on; what it remembers would count as transfer"
        )


def feature_folder(corpus: Corpus) -> Path:
    """Where a survey's features are."""
    return corpus.path / "experiments" / "features"


def _prepare(lab: _Lab, cell: Cell) -> None:
    """Pretrain and extract what the cell needs and is not there, each with a cost of its own."""
    source, target = cell.source, cell.target
    if not source.is_made(cell.seed):
        with lab.meter.measured() as cost:
            source.load(cell.seed)
        assert source.pretraining is not None
        n_images = len(source.pretraining.images.train.labels)
        _note_cost(lab, cell, ("pretraining", source.id), n_images=n_images, cost=cost)
    if cell.strategy != "linear probe":
        return
    place = feature_folder(lab.corpus)
    if not features.path_of(place, source, target, seed=cell.seed, size_px=cell.size_px).exists():
        with lab.meter.measured() as cost:
            _features(lab, cell)
        n_images = sum(len(split.labels) for split in (target.train, target.val, target.test))
        _note_cost(lab, cell, ("features", target.name), n_images=n_images, cost=cost)


def _features(lab: _Lab, cell: Cell) -> features.FeatureSet:
    return features.features(
        cell.source,
        cell.target,
        seed=cell.seed,
        size_px=cell.size_px,
        machine=lab.machine,
        place=feature_folder(lab.corpus),
    )


def _note_cost(lab: _Lab, cell: Cell, what: tuple[str, str], *, n_images: int, cost: Cost) -> None:
    """Keep what a step (`what`: its name, and the dataset of its images) took, as a result."""
    step, images_of = what
    row = _result(cell, "n_images", n_images, n_train=n_images, cost=cost, now=lab.clock())
    source = cell.source
    told = (source.id, source.model, source.checksum(), what, cell.size_px, cell.seed)
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:12]
    lab.corpus.append(
        Result,
        [replace(row, strategy=step, target=images_of, fraction=1.0)],
        name=slug(step, source.id, images_of, f"s{cell.seed}", digest),
    )


def _measure(lab: _Lab, cell: Cell) -> None:
    train = drawn(cell.target.train, cell.amount, np.random.default_rng(cell.seed))
    measure = _probed if cell.strategy == "linear probe" else _tuned
    with lab.meter.measured() as cost:
        scores, chosen = measure(lab, cell, train)
    if not np.isfinite(scores).all():
        raise InputError(f"{cell.name} gives probabilities that are no numbers")
    labels = cell.target.test.labels
    now = lab.clock()
    _keep_predictions(lab.corpus, cell, scores, n_train=len(train), now=now)
    low, high = auc_interval(labels, scores, np.random.default_rng(cell.seed))
    values = {
        "auc": auc(labels, scores),
        "auc_low": low,
        "auc_high": high,
        "balanced_accuracy": balanced_accuracy(labels, scores),
        "brier": brier(labels, scores),
        "calibration_error": calibration_error(labels, scores),
        **chosen,
    }
    rows = [
        _result(cell, metric, value, n_train=len(train), cost=cost, now=now)
        for metric, value in values.items()
    ]
    lab.corpus.append(Result, rows, name=cell.name)


def _result(
    cell: Cell, metric: str, value: float, *, n_train: int, cost: Cost, now: datetime
) -> Result:
    return Result(
        source=cell.source.id,
        target=cell.target.name,
        model=f"{cell.source.model}@{cell.size_px}px",
        strategy=cell.strategy,
        fraction=n_train / len(cell.target.train.labels),
        seed=cell.seed,
        metric=metric,
        value=float(value),
        n_train=n_train,
        n_test=len(cell.target.test.labels),
        seconds=cost.seconds,
        energy_kwh=cost.energy_kwh,
        co2_kg=cost.co2_kg,
        energy_method=cost.method,
        watts=cost.watts,
        g_per_kwh=cost.g_per_kwh,
        origin="run",
        at=now,
    )


def _probed(lab: _Lab, cell: Cell, train: npt.NDArray[np.int64]) -> tuple[Scores, dict[str, float]]:
    made = _features(lab, cell)
    val = few(cell.target.val, cell)
    scores, penalty = probe(
        made.train[train], made.train_labels[train], made.val[val], made.val_labels[val], made.test
    )
    return scores, {"penalty": penalty}


def _tuned(lab: _Lab, cell: Cell, train: npt.NDArray[np.int64]) -> tuple[Scores, dict[str, float]]:
    """Test probabilities of the fit that validation chose, and what it chose."""
    target = cell.target
    split = Split(target.train.images[train], target.train.labels[train])
    val = few(target.val, cell)
    judged = Split(target.val.images[val], target.val.labels[val])
    checkpoints = lab.corpus.path / "experiments" / "checkpoints"
    train_set, val_set = examples(split, cell.size_px), examples(judged, cell.size_px)

    def started() -> Classifier:
        return classifier(cell.source.load(cell.seed), len(target.classes), seed=cell.seed)

    def job_of(rate: float) -> Job:
        return Job(
            classifier=started(),
            train=train_set,
            val=val_set,
            normalisation=cell.source.normalisation,
            recipe=cell.recipe,
            learning_rate=rate,
            seed=cell.seed,
            machine=lab.machine,
            checkpoint=checkpoints / f"{cell.name}-{rate:g}.pt",
        )

    found, rate = tuned(job_of, cell.recipe)
    model = started()
    model.load_state_dict(found.state)
    place = lab.machine.place()
    pixels = examples(target.test, cell.size_px).pixels
    logits = predicted(model.to(place), pixels, cell.source.normalisation, lab.machine)
    scores = probabilities(logits, is_multi_label=target.is_multi_label)
    told = {"learning_rate": rate, "epochs": found.epochs, "val_auc": found.val_auc}
    return scores, told | {"batch": found.batch}


def drawn(split: Split, amount: Amount, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The places of the training images that are used, at least one of each class, sorted.

    Of several labels an image there are no classes to draw by: images are drawn as they are.

    Raises:
        InputError: the split has fewer images.
    """
    n, labels = len(split.labels), split.labels
    if amount == ALL:
        return np.arange(n)
    groups = (
        [np.arange(n)]
        if labels.ndim == 2
        else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    )
    kept = [
        rng.choice(group, _count(group, amount, n, len(groups)), replace=False) for group in groups
    ]
    return np.sort(np.concatenate(kept))


def few(val: Split, cell: Cell) -> npt.NDArray[np.int64]:
    """The places of the validation images that are used, sorted.

    Who has so few labelled images does not have more to validate on: where training images are
    cut down, validation has at most as many, in the classes' proportion, one of each at least.
    """
    rng = np.random.default_rng(cell.seed)
    n_train = len(drawn(cell.target.train, cell.amount, rng))
    amount = Amount(min(n_train, len(val.labels)), "images")
    return drawn(val, ALL if cell.amount == ALL else amount, rng)


def _count(group: npt.NDArray[np.int64], amount: Amount, n: int, n_groups: int) -> int:
    if amount.unit == "per class":
        wanted = round(amount.value)
    else:
        share = amount.value if amount.unit == "share" else amount.value / n
        wanted = max(1, round(share * len(group)))
    if wanted > len(group):
        raise InputError(
            f"{amount} training images asked for, but a class has {len(group)} and all {n_groups} "
            f"together have {n}"
        )
    return wanted


def predictions_path(corpus: Corpus, name: str) -> Path:
    """Where the test probabilities of a cell are."""
    return corpus.path / "experiments" / "predictions" / f"{name}.npz"


def _keep_predictions(
    corpus: Corpus, cell: Cell, scores: Scores, *, n_train: int, now: datetime
) -> None:
    path = predictions_path(corpus, cell.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "source": cell.source.id,
        "model": f"{cell.source.model}@{cell.size_px}px",
        "target": cell.target.name,
        "target_sha256": cell.target.sha256,
        "strategy": cell.strategy,
        "n_train": n_train,
        "seed": cell.seed,
        "at": now.isoformat(),
    }
    labels = cell.target.test.labels
    arrays = {"labels": labels, "scores": scores.astype(np.float32), "about": json.dumps(about)}
    write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Test probabilities of one cell. *Shape:* labels (n,) or (n, k), scores (n, k)."""

    labels: Labels
    scores: Scores
    about: dict[str, Any]


def predictions(corpus: Corpus) -> list[Predictions]:
    """The test probabilities of all cells that the survey has results of.

    Of a cell that was measured under several recipes, the newest.

    Raises:
        InputError: a file is damaged.
    """
    found: dict[tuple[Any, ...], Predictions] = {}
    for part in sorted((corpus.path / "results").glob("[!.]*.parquet")):
        path = predictions_path(corpus, part.stem)
        if not path.exists():
            continue
        try:
            # Opened here: numpy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                scores = arrays["scores"].astype(np.float64)
                made = Predictions(arrays["labels"], scores, about)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as e:
            raise InputError(
                f"cannot be read ({e}); delete it and {part.name}, and run the cell again",
                path=path,
            ) from e
        cell = tuple(value for key, value in about.items() if key != "at")
        if cell not in found or found[cell].about["at"] < about["at"]:
            found[cell] = made
    return list(found.values())
