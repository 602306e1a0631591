import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import InputError
from experiments.ranking import SourceFeatures, by_baselines, rank, rank_sets, read_features
from experiments.transferability import SCORES, knn


def labels_of(n: int, classes: int = 2) -> Any:
    return np.arange(n) % classes


def source(strength: float, seed: int, *, n: int = 80, d: int = 6, **more: Any) -> SourceFeatures:
    """Features whose first column tells two classes apart by `strength` standard deviations."""
    rows = np.random.default_rng(seed).normal(size=(n, d))
    rows[:, 0] += strength * labels_of(n)
    return SourceFeatures(features=rows, labels=labels_of(n), **more)


def test_a_source_that_is_far_ahead_is_told_from_all_others() -> None:
    given = {"good": source(4.0, 0), "poor": source(0.0, 1), "weak": source(0.3, 2)}
    ranking = rank(given, score="knn")
    assert ranking.verdict == "one"
    assert ranking.best == ("good",)
    assert ranking.frame["source"].iloc[0] == "good"
    first = ranking.frame.iloc[0]
    assert (first["rank_low"], first["rank_high"]) == (1, 1)
    assert first["low"] < first["score"] < first["high"]


def test_equal_sources_make_it_abstain() -> None:
    ranking = rank({name: source(1.0, seed) for seed, name in enumerate("abc")}, score="knn")
    assert ranking.verdict == "abstains"
    assert set(ranking.best) == set("abc")
    assert list(ranking.frame["rank_high"]) == [3, 3, 3]
    assert "no order" in ranking.why
    assert "80 images" in ranking.why


def test_two_good_sources_before_a_poor_one_are_named_together() -> None:
    given = {"a": source(3.0, 0), "b": source(3.0, 1), "poor": source(0.0, 2)}
    ranking = rank(given, score="knn")
    assert ranking.verdict == "some"
    assert set(ranking.best) == {"a", "b"}
    assert ranking.frame.set_index("source").loc["poor", "rank_low"] == 3


def test_sources_of_one_worth_are_seldom_told_apart() -> None:
    # One in twenty may be; 4 of 40 or more would come once in a hundred times.
    wrong = 0
    for trial in range(40):
        given = {str(i): source(1.0, 10 * trial + i, n=60, d=3) for i in range(4)}
        wrong += rank(given, score="hscore", resamples=60, seed=trial).verdict != "abstains"
    assert wrong < 6


def test_halves_vary_as_samples_do() -> None:
    # The spread over samples of 120 images, against what one sample's halves say.
    def drawn(seed: int) -> SourceFeatures:
        return source(1.5, seed, n=120, d=4)

    spread = np.std([knn(drawn(seed).features, labels_of(120)) for seed in range(300)])
    told = [
        rank({"a": drawn(seed), "b": drawn(1000 + seed)}, score="knn").frame["se"].mean()
        for seed in range(12)
    ]
    assert np.mean(told) == pytest.approx(spread, rel=0.3)


def test_rank_sets_by_hand() -> None:
    # Independent estimates of variance 0.01: differences of sd 0.141, simultaneous bound about 0.33
    # for three pairs. 0 and 0.1 are not told apart, 1 is told from both.
    low, high = rank_sets(np.array([0.0, 0.1, 1.0]), 0.01 * np.eye(3), np.random.default_rng(0))
    assert low.tolist() == [2, 2, 1]
    assert high.tolist() == [3, 3, 1]


def test_estimates_that_vary_together_are_told_apart_sooner() -> None:
    scores = np.array([0.0, 0.1])
    apart = rank_sets(scores, 0.01 * np.eye(2), np.random.default_rng(0))
    shared = 0.01 * np.array([[1.0, 0.99], [0.99, 1.0]])
    together = rank_sets(scores, shared, np.random.default_rng(0))
    assert apart[0].tolist() == [1, 1]
    assert together[0].tolist() == [2, 1]


def test_the_same_seed_gives_the_same_ranking_and_the_order_of_sources_does_not_matter() -> None:
    given = {"a": source(1.0, 0), "b": source(0.5, 1)}
    one = rank(given, score="knn", seed=3)
    assert one.frame.equals(rank(given, score="knn", seed=3).frame)
    turned = rank(dict(reversed(given.items())), score="knn", seed=3)
    assert list(turned.frame["source"]) == list(one.frame["source"])
    assert turned.frame["score"].tolist() == one.frame["score"].tolist()


def test_more_images_than_asked_for_are_cut_class_by_class() -> None:
    ranking = rank({"a": source(1.0, 0), "b": source(1.0, 1)}, score="knn", most_images=40)
    assert "40 images" in ranking.why


def test_features_are_standardised_and_those_that_do_not_vary_left_out() -> None:
    plain = source(1.0, 0)
    scaled = np.hstack([plain.features * np.array([1e3, 1, 1, 1, 1e-3, 1]), np.ones((80, 1))])
    other = SourceFeatures(features=scaled, labels=plain.labels)
    frame = rank({"plain": plain, "scaled": other}, score="hscore").frame
    assert frame["score"].iloc[0] == pytest.approx(frame["score"].iloc[1])


def test_baselines_stand_beside_every_ranking() -> None:
    given = {"a": source(0.2, 0), "b": source(2.0, 1), "c": source(1.0, 2)}
    ranking = rank(given, score="logme", n_papers={"a": 9, "c": 1}, n_images={"c": 100, "a": 5})
    assert set(ranking.frame["n_papers"]) == {9, 0, 1}
    orders = by_baselines(ranking)
    assert orders["knn"][0] == "b"
    assert orders["popularity"] == ("a", "c", "b")
    assert orders["dataset size"] == ("c", "a")
    assert set(by_baselines(rank(given, score="logme"))) == {"knn"}


@pytest.mark.parametrize("score", sorted(SCORES))
def test_every_score_ranks(score: str) -> None:
    rng = np.random.default_rng(0)

    def whole(strength: float, seed: int) -> SourceFeatures:
        chance = np.stack([labels_of(80) * 0.5 + 0.2, 0.8 - labels_of(80) * 0.5], axis=1)
        mixed = chance if strength > 1 else np.full((80, 2), 0.5)
        reference = rng.normal(size=(50, 6)) + (0.0 if strength > 1 else 5.0)
        return source(strength, seed, probabilities=mixed, reference=reference)

    given = {"good": whole(4.0, 0), "poor": whole(0.0, 1)}
    assert list(rank(given, score=score, resamples=30).frame["source"]) == ["good", "poor"]


def test_several_labels_an_image_are_ranked() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (80, 3))
    good = SourceFeatures(features=labels + 0.1 * rng.normal(size=(80, 3)), labels=labels)
    poor = SourceFeatures(features=rng.normal(size=(80, 3)), labels=labels)
    assert rank({"good": good, "poor": poor}, score="linear-probe").best == ("good",)
    with pytest.raises(InputError, match="several labels"):
        rank({"good": good, "poor": poor}, score="hscore")
    rare = labels.copy()
    rare[:, 1] = 0
    rare[5, 1] = 1
    with pytest.raises(InputError, match=r"label .* 1 has 1 image"):
        rank({n: SourceFeatures(features=good.features, labels=rare) for n in "ab"}, score="knn")
    many = np.zeros((80, 400), int)
    for column in many.T:
        column[rng.choice(80, 4, replace=False)] = 1
    with pytest.raises(InputError, match="400 labels are too many"):
        rank({n: SourceFeatures(features=good.features, labels=many) for n in "ab"}, score="knn")


def changed(**fields: Any) -> dict[str, SourceFeatures]:
    plain = source(1.0, 0)
    made = {"features": plain.features, "labels": plain.labels} | fields
    return {"a": source(1.0, 1), "b": SourceFeatures(**made)}


@pytest.mark.parametrize(
    ("given", "score", "said"),
    [
        ({"a": source(1.0, 0)}, "knn", "1 source"),
        (changed(), "knnn", "'knnn' is not one of knn"),
        (changed(labels=labels_of(80, 4)), "knn", "labels of 'b' and 'a' differ"),
        (changed(labels=labels_of(79)), "knn", "79 and 80 images"),
        (changed(features=np.full((80, 2), np.nan)), "knn", "'b' have NaN"),
        (changed(features=np.ones((80, 2))), "knn", "'b' are the same"),
        (changed(), "leep", "'a' has no probabilities"),
        (changed(), "nearness", "'a' has no features of other images"),
        (
            {
                n: SourceFeatures(features=np.eye(8), labels=np.array([0] * 6 + [1] * 2))
                for n in "ab"
            },
            "knn",
            "class 1 has 2 image",
        ),
    ],
)
def test_what_cannot_be_ranked_is_named(given: Any, score: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rank(given, score=score)


# Files of features


def test_a_folder_of_files_is_read_by_their_names(tmp_path: Path) -> None:
    for name in ("ImageNet", "random"):
        np.savez(tmp_path / f"{name}.npz", features=np.eye(4), labels=labels_of(4))
    found = read_features(tmp_path)
    assert list(found) == ["ImageNet", "random"]
    assert found["random"].features.shape == (4, 4)
    assert found["random"].probabilities is None


def test_one_file_of_many_sources_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", labels=labels_of(4), ImageNet=np.eye(4), random=np.ones((4, 2)))
    found = read_features(tmp_path / "all.npz")
    assert {name: given.features.shape for name, given in found.items()} == {
        "ImageNet": (4, 4),
        "random": (4, 2),
    }


def cached(path: Path, *, source: str, target: str = "t", seed: int = 0, fill: float = 0) -> None:
    about = json.dumps({"source": source, "target": target, "seed": seed})
    np.savez(
        path / f"{source}-{target}-s{seed}.npz",
        train=np.full((4, 2), fill),
        train_labels=labels_of(4),
        train_source_probabilities=np.zeros((4, 0)),
        test=np.zeros((9, 2)),
        about=np.array(about),
    )


def test_a_surveys_cache_is_read_target_by_target_with_the_lowest_seed(tmp_path: Path) -> None:
    cached(tmp_path, source="random", seed=1, fill=1)
    cached(tmp_path, source="random", seed=0)
    cached(tmp_path, source="ImageNet")
    found = read_features(tmp_path)
    assert list(found) == ["ImageNet", "random"]
    assert found["random"].features.max() == 0
    assert found["random"].probabilities is None
    cached(tmp_path, source="ImageNet", target="other")
    with pytest.raises(InputError, match=r"several targets \(other, t\)"):
        read_features(tmp_path)
    assert list(read_features(tmp_path, target="other")) == ["ImageNet"]
    with pytest.raises(InputError, match="no features of target 'none'"):
        read_features(tmp_path, target="none")


def test_files_that_are_no_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.npz"):
        read_features(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"x\.npz"):
        read_features(tmp_path)
    np.savez(tmp_path / "x.npz", features=np.eye(2))
    with pytest.raises(InputError, match="no array 'labels'; found features"):
        read_features(tmp_path)
    np.savez(tmp_path / "x.npz", features=np.eye(2), about=np.array("{"))
    with pytest.raises(InputError, match="'about' is not JSON"):
        read_features(tmp_path)
    np.savez(tmp_path / "y.npz", one=np.eye(2))
    with pytest.raises(InputError, match="no array 'labels'"):
        read_features(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", labels=np.array([{}]))
    with pytest.raises(InputError, match=r"z\.npz: cannot be read"):
        read_features(tmp_path / "z.npz")
