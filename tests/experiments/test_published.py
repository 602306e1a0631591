from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import NOW
from hypothesis import given
from hypothesis import strategies as st

from data.catalogue import load
from data.errors import InputError
from data.records import Result, to_table
from experiments.meta_analysis import (
    against_reference,
    differences,
    random_effects,
    spread,
    standing,
)
from experiments.published import (
    COLUMNS,
    MEASURED,
    measured_elsewhere,
    measured_here,
    published,
)

CATALOGUE = load()
ROW = {
    "source": "ImageNet",
    "target": "ISIC",
    "modality": "dermoscopy",
    "model": "ResNet",
    "strategy": "full fine-tune",
    "metric": "auc",
    "value": "0.9",
    "citation": "arXiv:2107.05940",
    "checked": "notes",
}


def written(path: Path, *rows: dict[str, str]) -> Path:
    lines = [",".join(COLUMNS)]
    lines += [",".join((ROW | row).get(name, "") for name in COLUMNS) for row in rows]
    file = path / "results.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def measured(*rows: tuple[str, str, float], **fields: Any) -> pd.DataFrame:
    """(source, target, value), all of one study, model and strategy."""
    plain = {"modality": "x-ray", "model": "m", "strategy": "full fine-tune", "relative_to": None}
    plain |= {"variance": np.nan, "study": "arXiv:1"}
    made = [{"source": s, "target": t, "value": v} | plain | fields for s, t, v in rows]
    return pd.DataFrame(made, columns=list(MEASURED))


# The packaged table


def test_the_packaged_results_hold_and_are_what_the_papers_say() -> None:
    frame = published(catalogue=CATALOGUE)
    assert list(frame.columns) == list(COLUMNS)

    def value(source: str, target: str, citation: str, model: str) -> float:
        names = ("source", "target", "citation", "model")
        keys = zip(names, (source, target, citation, model), strict=True)
        found = frame
        for name, wanted in keys:
            found = found[found[name] == wanted]
        return float(found["value"].item())

    assert value("ImageNet", "PatchCamelyon", "arXiv:2107.05940", "ResNet") == 0.961
    assert value("RadImageNet", "BUSI", "arXiv:2302.08272", "ResNet50") == 0.882
    assert value("ImageNet", "RetinaMNIST", "arXiv:2412.20172", "ResNet18@224px") == 0.86408
    resnet = ("doi:10.1038/s41597-022-01721-8", "ResNet-18@28px")
    assert value("random", "PneumoniaMNIST", *resnet) == 0.944


def test_mean_ranks_and_spreads_are_those_that_the_paper_states() -> None:
    frame = measured_elsewhere(published(catalogue=CATALOGUE))
    grid = frame[frame["study"] == "arXiv:2412.20172"]
    order = standing(grid, rng=rng())
    ranks = order.set_index("source")["mean_rank"]
    stated = {"ImageNet": 2.8, "MedMNIST": 3.9, "RadImageNet": 4.2, "TissueMNIST": 4.7}
    for source, rank in (stated | {"ChestMNIST": 5.5}).items():
        assert ranks[source] == pytest.approx(rank, abs=0.051)
    assert order["source"].iloc[0] == "ImageNet"
    by_target = spread(grid).set_index("target")["spread"]
    stated = {"RetinaMNIST": 0.202, "PneumoniaMNIST": 0.130, "BreastMNIST": 0.121}
    stated |= {"BloodMNIST": 0.009, "OrganAMNIST": 0.009, "OrganCMNIST": 0.014}
    for target, gap in (stated | {"OrganSMNIST": 0.018, "OCTMNIST": 0.100}).items():
        assert by_target[target] == pytest.approx(gap, abs=0.0006)
    beside = against_reference(grid, rng=rng()).set_index("source").loc["RadImageNet"]
    # Means -.012 over twelve targets, ahead on two.
    assert (beside["n_targets"], beside["n_ahead"]) == (12, 2)
    assert beside["difference"] == pytest.approx(-0.012, abs=0.0006)


# The parser


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"source": ""}, "source '' is not a name"),
        ({"source": "Phobos"}, "source 'Phobos' is not in the catalogue"),
        ({"modality": "xray"}, "modality 'xray' is not"),
        ({"strategy": "tuned"}, "strategy 'tuned' is not one of full fine-tune"),
        ({"metric": "AUC"}, "metric 'AUC' is not one of auc"),
        ({"value": "94.6"}, r"value '94.6' is not a number in \[0, 1\]"),
        ({"value": "nan"}, "value 'nan'"),
        ({"value": "-0.1"}, "value '-0.1'"),
        ({"sd": "x"}, "sd 'x'"),
        ({"n_runs": "0"}, "n_runs '0'"),
        ({"n_train": "1.5"}, "n_train '1.5'"),
        ({"citation": "van den Brandt 2021"}, "citation 'van den Brandt 2021' is not doi:10"),
        ({"checked": "yes"}, "checked 'yes' is not one of"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, row: dict[str, str], said: str) -> None:
    path = written(tmp_path, {}, row | {"target": row.get("target", "other")})
    with pytest.raises(InputError, match=f"line 3: {said}"):
        published(path, catalogue=CATALOGUE)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, {"metric": "x"}, {}, {})
    with pytest.raises(InputError, match="3 fault") as e:
        published(path, catalogue=CATALOGUE)
    assert "line 2: metric" in str(e.value)
    assert "line 4: the same result is in line 2" in str(e.value)


def test_a_differing_value_may_be_negative_and_a_note_lets_an_unknown_source_in(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path,
        {"relative_to": "ImageNet", "value": "-0.1", "source": "RadImageNet"},
        {"source": "Phobos", "note": "photographs of a moon"},
    )
    frame = published(path, catalogue=CATALOGUE)
    assert frame["value"].tolist() == [-0.1, 0.9]


def test_a_file_that_is_no_such_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with pytest.raises(InputError, match="cannot be read"):
        published(path, catalogue=CATALOGUE)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        published(path, catalogue=CATALOGUE)
    path.write_text("source,target\n")
    with pytest.raises(InputError, match="line 1: columns are 'source,target'"):
        published(path, catalogue=CATALOGUE)
    path.write_text(",".join(COLUMNS) + "\nImageNet,ISIC\n\n")
    with pytest.raises(InputError, match="line 2: 2 cells, 14 expected"):
        published(path, catalogue=CATALOGUE)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_read_or_refused_with_its_file(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("h") / "r.csv"
    path.write_text(",".join(COLUMNS) + "\n" + text, encoding="utf-8", newline="")
    try:
        published(path, catalogue=CATALOGUE)
    except InputError as e:
        assert "r.csv" in str(e)


def test_a_variance_is_that_of_the_mean_where_both_are_stated(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"sd": "0.02", "n_runs": "4"}, {"sd": "0.02", "target": "b"}, {"target": "c"}
    )
    found = measured_elsewhere(published(path, catalogue=CATALOGUE))["variance"]
    assert found[0] == pytest.approx(0.0001)
    assert found[1:].isna().all()


# Own runs


def run(source: str, seed: int, values: tuple[float, float, float], **fields: Any) -> list[Result]:
    plain = {"target": "pneumoniamnist", "model": "m", "strategy": "linear probe", "fraction": 1.0}
    plain |= {"n_train": 9, "n_test": 5, "origin": "run", "at": NOW}
    return [
        Result(source=source, seed=seed, metric=metric, value=value, **(plain | fields))
        for metric, value in zip(("auc", "auc_low", "auc_high"), values, strict=True)
    ]


def test_own_runs_are_means_over_seeds_with_both_variances() -> None:
    rows = [
        *run("ImageNet", 0, (0.90, 0.8608, 0.9392)),
        *run("ImageNet", 1, (0.92, 0.8808, 0.9592)),
        *run("ImageNet", 0, (0.5, 0.5, 0.5), fraction=0.1),
        *run("ImageNet", 0, (0.5, 0.5, 0.5), origin="paper"),
        *run("random", 0, (0.80, 0.7608, 0.8392)),
    ]
    frame = measured_here(to_table(Result, rows), catalogue=CATALOGUE).set_index("source")
    assert frame.loc["ImageNet", "value"] == pytest.approx(0.91)
    # Half widths of .0392 are standard errors of .02; two seeds .02 apart have variance .0002.
    assert frame.loc["ImageNet", "variance"] == pytest.approx(0.0004 + 0.0001)
    assert frame.loc["random", "variance"] == pytest.approx(0.0004)
    assert set(frame["modality"]) == {"x-ray"}
    assert set(frame["study"]) == {"run"}
    assert measured_here(to_table(Result, []), catalogue=CATALOGUE).empty


# Together


def test_random_effects_are_those_of_the_bcg_trials() -> None:
    # Colditz et al. 1994: cases and the rest, vaccinated and not. DerSimonian-Laird by metafor:
    # log risk ratio -0.7141 [-1.0644, -0.3638], tau² 0.3088, I² 92.12%, Q 152.2330.
    trials = [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ]
    effects = [np.log(a / (a + b) * (c + d) / c) for a, b, c, d in trials]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in trials]
    found = random_effects(effects, variances)
    assert found.effect == pytest.approx(-0.7141, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-1.0644, -0.3638), abs=5e-5)
    assert found.tau2 == pytest.approx(0.3088, abs=5e-5)
    assert found.i2 == pytest.approx(0.9212, abs=5e-5)
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.p < 1e-20


def test_equal_effects_have_no_heterogeneity() -> None:
    found = random_effects([0.1, 0.1, 0.1], [0.01, 0.02, 0.03])
    assert (found.effect, found.tau2, found.i2) == (pytest.approx(0.1), 0.0, 0.0)


@pytest.mark.parametrize(
    ("effects", "variances"),
    [([0.1], [0.1]), ([0.1, 0.2], [0.1]), ([0.1, 0.2], [0.1, 0.0]), ([0.1, np.nan], [0.1, 0.1])],
)
def test_what_cannot_be_pooled_is_refused(effects: list[float], variances: list[float]) -> None:
    with pytest.raises(InputError):
        random_effects(effects, variances)


def test_differences_are_within_a_setting_only() -> None:
    both = pd.concat(
        [
            measured(("ImageNet", "a", 0.9), ("X", "a", 0.8), variance=0.01),
            measured(("X", "a", 0.1), study="arXiv:2"),
            measured(("X", "b", 0.05), relative_to="ImageNet", study="arXiv:3"),
            measured(("random", "a", 0.6), strategy="from scratch"),
        ]
    )
    found = differences(both).set_index(["source", "study"])["difference"]
    assert found.to_dict() == pytest.approx(
        {("X", "arXiv:1"): -0.1, ("random", "arXiv:1"): -0.3, ("X", "arXiv:3"): 0.05}
    )
    assert differences(both)["variance"].max() == pytest.approx(0.02)
    turned = differences(both, reference="X").set_index(["source", "study"])["difference"]
    assert turned["ImageNet", "arXiv:3"] == pytest.approx(-0.05)
    assert turned["ImageNet", "arXiv:1"] == pytest.approx(0.1)


def test_a_target_counts_once_however_many_settings_it_has() -> None:
    rows = [
        measured(("ImageNet", "a", 0.9), ("X", "a", 0.8), model=model) for model in ("m", "n", "o")
    ]
    rows += [measured(("ImageNet", target, 0.9), ("X", target, 0.9)) for target in "bc"]
    found = against_reference(pd.concat(rows), rng=rng()).iloc[0]
    assert found["difference"] == pytest.approx(-0.1 / 3)
    assert found["n_targets"] == 3
    assert found["low"] == pytest.approx(-0.1)
    assert found["high"] == 0


def test_few_targets_have_an_interval_by_their_variances_or_none() -> None:
    known = measured(("ImageNet", "a", 0.9), ("X", "a", 0.8), variance=0.0002)
    found = against_reference(known, rng=rng()).iloc[0]
    assert (found["low"], found["high"]) == pytest.approx((-0.1 - 0.0392, -0.1 + 0.0392))
    unknown = against_reference(measured(("ImageNet", "a", 0.9), ("X", "a", 0.8)), rng=rng())
    assert unknown["low"].isna().all()
    two = pd.concat([known, measured(("ImageNet", "b", 0.9), ("X", "b", 0.9), variance=0.0002)])
    pooled = against_reference(two, rng=rng()).iloc[0]
    assert pooled["n_with_variance"] == 2
    assert pooled["i2"] > 0.9


def test_standing_by_hand() -> None:
    rows = measured(
        ("A", "a", 0.9), ("B", "a", 0.8), ("C", "a", 0.8), ("A", "b", 0.1), ("B", "b", 0.2),
        ("C", "b", 0.3), ("A", "only two", 0.9), ("B", "only two", 0.1),
    )  # fmt: skip
    found = standing(rows, rng=rng()).set_index("source")
    assert found["beats"].to_dict() == pytest.approx({"C": 0.625, "A": 0.5, "B": 0.375})
    assert found["mean_rank"].to_dict() == pytest.approx({"C": 1.75, "A": 2.0, "B": 2.25})
    assert found["low"].isna().all()


def test_random_weights_do_not_widen_the_spread() -> None:
    rows = measured(("A", "a", 0.9), ("B", "a", 0.8), ("C", "a", 0.85), ("random", "a", 0.1))
    (row,) = spread(rows).to_dict(orient="records")
    assert (row["best"], row["worst"]) == ("A", "B")
    assert row["spread"] == pytest.approx(0.1)


def test_nothing_measured_is_nothing_told() -> None:
    empty = measured()
    assert against_reference(empty, rng=rng()).empty
    assert standing(empty, rng=rng()).empty
    assert spread(empty).empty
