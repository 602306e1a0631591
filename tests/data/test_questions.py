"""Concentration, transfers, growth, comparison, findings, and the words that ask for them."""

import json
import math
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import survey, use, work
from scipy.optimize import minimize
from typer.testing import CliRunner

from data.claims import claims
from data.cli import app
from data.compare import compare
from data.concentration import concentration, measures
from data.cube import TOPICS, Cube, Selection, cube, patterns
from data.errors import InputError
from data.findings import NAMES, findings, sensitivity
from data.gold_sample import GOLD, read, read_labels, table_of
from data.growth import first_use, growth, slope_of
from data.intervals import wilson
from data.questions import frame, otherwise, selection
from data.records import Decision, Use, Work, to_table
from data.transfers import transfers
from data.trends import note, shares


def cube_of(uses: list[Use], works: list[Work], **options: object) -> Cube:
    found = claims(to_table(Use, uses), to_table(Decision, []))
    return cube(found, to_table(Work, works), **options)  # type: ignore[arg-type]


def row_of(table: pd.DataFrame, **wanted: object) -> pd.Series:
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1, table
    return table.iloc[0]


# --- concentration


def test_measures_of_even_and_of_single_use() -> None:
    assert measures(np.array([[5, 5, 5, 5]]))[0] == pytest.approx([0, 0.25, 4, 4, 0.25, 1])
    assert measures(np.array([[9]]))[0] == pytest.approx([0, 1, 1, 1, 1, 1])


def test_gini_is_half_the_mean_difference_by_the_mean() -> None:
    counts = [1, 4, 2, 13, 1]
    differences = [abs(a - b) for a, b in combinations(counts, 2)]
    gini = 2 * sum(differences) / len(counts) ** 2 / (2 * np.mean(counts))
    shares = np.array(counts) / sum(counts)
    found = measures(np.array([counts]))[0]
    assert found[0] == pytest.approx(gini)
    assert found[2] == pytest.approx(math.exp(-sum(s * math.log(s) for s in shares)))
    assert found[3] == pytest.approx(1 / sum(s * s for s in shares))


def test_concentration_has_an_interval_by_paper_and_leaves_unnamed_weights_out() -> None:
    uses = [use(f"W{i}") for i in range(60)] + [use(f"W{i}", "COCO") for i in range(50, 80)]
    uses += [use("W90", "unspecified")]
    held = cube_of(uses, [work(f"W{i}") for i in range(100)])
    found = row_of(concentration(held), measure="share of the first")
    assert (found.n_papers, found.n_uses, found.n_datasets) == (80, 90, 2)
    assert found.value == pytest.approx(60 / 90)
    assert found.low < found.value < found.high
    again = row_of(concentration(held), measure="share of the first")
    assert (again.low, again.high) == (found.low, found.high)  # the seed is an argument
    assert concentration(cube_of([], [work()])).empty


def test_the_interval_of_a_share_of_uses_is_as_wide_as_a_binomial_where_papers_use_one() -> None:
    uses = [use(f"W{i:03}", "ImageNet" if i < 120 else "COCO") for i in range(200)]
    found = row_of(
        concentration(cube_of(uses, [work(f"W{i:03}") for i in range(200)]), n_boot=4000),
        measure="share of the first",
    )
    low, high = wilson(120, 200)
    assert found.high - found.low == pytest.approx(high - low, rel=0.06)


def in_two_thirds() -> tuple[Cube, pa.Table]:
    """120 papers, said to use ImageNet two to one; 60 were read, ten of ImageNet's wrong."""
    works = [work(f"W{i:03}") for i in range(120)]
    uses = [use(f"W{i:03}", "COCO" if i % 3 == 0 else "ImageNet") for i in range(120)]
    wrong = {i for i in range(60) if i % 6 == 1}
    rows = [
        {"work_id": f"W{i:03}", "stratum": "all", "weight": 2.0, "role": "source", "truth": True}
        | {"dataset": "COCO" if i % 3 == 0 or i in wrong else "ImageNet"}
        for i in range(60)
    ]
    return cube_of(uses, works), pa.Table.from_pylist(rows, schema=GOLD)


def test_concentration_is_corrected_where_gold_papers_can_tell() -> None:
    held, gold = in_two_thirds()
    found = concentration(held, gold=gold).set_index("measure")
    hhi, effective = found.loc["hhi"], found.loc["effective number (HHI)"]
    assert hhi["value"] == pytest.approx((80**2 + 40**2) / 120**2)
    # Of the 60 read 30 use either: 60 and 60 by weight. Each count varies by
    # 120^2 (1 - 1/2) s^2 / 60, and s^2 is 1/2 x 1/2 x 60/59.
    variance = 120**2 / 2 * 0.25 * (60 / 59) / 60
    assert hhi["corrected"] == pytest.approx((2 * 60**2 - 2 * variance) / 120**2)
    assert hhi["corrected_low"] < hhi["corrected"] < hhi["corrected_high"] < hhi["value"]
    assert effective["corrected"] == pytest.approx(1 / hhi["corrected"])
    assert effective["corrected_low"] == pytest.approx(1 / hhi["corrected_high"])
    assert effective["n_gold"] == 60
    assert pd.isna(effective["not_corrected"])
    others = found.drop(["hhi", "effective number (HHI)"])
    assert others["corrected"].isna().all()
    assert others["not_corrected"].str.contains("hang on rare datasets").all()


def test_concentration_says_why_it_is_not_corrected() -> None:
    held, gold = in_two_thirds()
    for options, why in (
        ({}, "no gold labels"),
        ({"gold": gold.slice(0, 29)}, "fewer than 30 gold papers with a named source: 29"),
        ({"gold": gold, "role": "target", "where": Selection(among="transfer")}, "transfer"),
        ({"gold": gold, "where": Selection(presence="named")}, "named or cited"),
    ):
        if "role" in options:
            held = cube_of([use("W000"), use("W000", "BraTS", "target")], [work("W000")])
        found = row_of(concentration(held, **options), measure="hhi")  # type: ignore[arg-type]
        assert np.isnan(found.corrected)
        assert why in found.not_corrected
        held, _ = in_two_thirds()


def test_gold_papers_of_another_kind_of_text_correct_nothing() -> None:
    works = [work(f"W{i:03}") for i in range(120)]
    _, gold = in_two_thirds()
    held = cube_of(
        [use(f"W{i:03}") for i in range(120)],
        works,
        full_texts=tuple(f"W{i:03}" for i in range(60)),
    )
    found = concentration(held, gold=gold)
    hhi = found[found["measure"] == "hhi"].set_index("text")
    assert hhi["n_gold"].to_dict() == {"full text": 60, "abstract": 0}
    assert np.isfinite(hhi.loc["full text", "corrected"])
    assert np.isnan(hhi.loc["abstract", "corrected"])


# --- transfers and first use


def test_pairs_of_source_and_target_are_within_a_paper() -> None:
    uses = [
        use("W1"),
        use("W1", "CheXpert", "target"),
        use("W1", "COCO"),
        use("W2"),
        use("W2", "CheXpert", "target"),
        use("W3"),
        use("W4", "CheXpert", "target"),
    ]
    table = transfers(cube_of(uses, [work(f"W{i}") for i in range(1, 5)]))
    assert table[["source", "target", "n", "n_papers"]].to_numpy().tolist() == [
        ["ImageNet", "CheXpert", 2, 2],
        ["COCO", "CheXpert", 1, 2],
    ]
    assert (table["low"][0], table["high"][0]) == wilson(2, 2)
    assert transfers(cube_of([], [work()])).empty


def test_first_use_is_the_earliest_paper() -> None:
    uses = [use("W1"), use("W2"), use("W3"), use("W3", "unspecified")]
    works = [work("W1", year=2020), work("W2", year=2016), work("W3", year=2018), work("W4")]
    (found,) = first_use(cube_of(uses, works, full_texts=("W2",))).to_dict("records")
    assert (found["dataset"], found["year"], found["work_id"]) == ("ImageNet", 2016, "W2")
    assert (found["text"], found["n"]) == ("full text", 3)
    assert found["released"] is not pd.NA


# --- growth


def test_the_slope_is_of_greatest_likelihood() -> None:
    x = np.arange(2015, 2025, dtype=float)
    n = np.array([40, 45, 50, 60, 70, 80, 95, 110, 120, 130], float)
    k = np.array([2, 4, 3, 8, 9, 15, 22, 24, 34, 40], float)

    def loss(beta: np.ndarray) -> float:
        eta = beta[0] + beta[1] * (x - 2020)
        return float((n * np.logaddexp(0, eta) - k * eta).sum())

    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    fit = slope_of(x, k, n)
    assert not isinstance(fit, str)
    assert fit.slope == pytest.approx(best.x[1], abs=1e-5)
    step = 1e-4 * np.eye(2)
    curvature = [
        [
            sum(a * b * loss(best.x + a * step[i] + b * step[j]) for a in (1, -1) for b in (1, -1))
            for j in range(2)
        ]
        for i in range(2)
    ]
    error = np.linalg.inv(np.array(curvature) / 4e-8)[1, 1] ** 0.5
    assert fit.error == pytest.approx(error * fit.dispersion**0.5, rel=1e-3)


def test_scatter_beyond_chance_widens_the_slope() -> None:
    x, n = np.arange(8, dtype=float), np.full(8, 100.0)
    calm = slope_of(x, np.array([20, 22, 24, 26, 28, 30, 32, 34], float), n)
    wild = slope_of(x, np.array([5, 40, 10, 42, 12, 45, 14, 48], float), n)
    assert not isinstance(calm, str)
    assert not isinstance(wild, str)
    assert calm.dispersion == 1
    assert wild.dispersion > 5
    assert wild.error > 2 * calm.error


@pytest.mark.parametrize(
    ("k", "why"),
    [
        ([0, 0, 0, 0], "no paper uses it"),
        ([9, 9, 9, 9], "or all do"),
        ([0, 0, 9, 9], "different years"),
        ([1, 2], "fewer than three"),
    ],
)
def test_where_no_slope_can_be_told_it_says_why(k: list[float], why: str) -> None:
    found = slope_of(np.arange(len(k), dtype=float), np.array(k, float), np.full(len(k), 9.0))
    assert isinstance(found, str)
    assert why in found


def test_growth_of_a_survey() -> None:
    works = [work(f"W{y}{i:02}", year=y) for y in range(2016, 2022) for i in range(40)]
    uses = [use(f"W{y}{i:02}") for y in range(2016, 2022) for i in range(4 * (y - 2014))]
    held = cube_of(uses, [*works, work("WX", year=None)])
    (found,) = growth(held).to_dict("records")
    assert (found["first_year"], found["last_year"], found["n_papers"]) == (2016, 2021, 240)
    assert 0 < found["low"] < found["slope"] < found["high"]
    assert found["odds_ratio"] == pytest.approx(math.exp(found["slope"]))
    assert found["p"] < 0.001


def test_a_change_is_of_the_periods_that_halve_the_papers_and_is_corrected() -> None:
    # 2020 and 2021 have 60 papers, 2022 has 60: the cut is before 2022.
    works = [
        work(f"W{i:03}", year=2020 if i < 30 else 2021 if i < 60 else 2022) for i in range(120)
    ]
    held = cube_of([use(f"W{i:03}") for i in range(90)], [*works, work("W999", year=None)])
    gold = gold_of(120, range(40, 80))
    (found,) = growth(held, gold=gold).to_dict("records")
    later, before = (
        Selection(years=years, text="abstract") for years in ((2022, 2022), (2020, 2021))
    )
    (same,) = compare(held, later, before, gold=gold).to_dict("records")
    assert (found["since"], found["change"]) == (2022, 30 / 60 - 1)
    assert found["corrected"] == pytest.approx(20 / 60 - 20 / 60)
    assert (found["change_low"], found["change_high"]) == (same["low"], same["high"])
    for name in ("corrected", "corrected_low", "corrected_high", "not_corrected"):
        assert found[name] == same[name]
    (raw,) = growth(held).to_dict("records")
    assert (raw["change"], raw["not_corrected"]) == (found["change"], "no gold labels")
    assert np.isnan(raw["corrected"])
    one = growth(held, where=Selection(years=(2022, 2022))).iloc[0]
    assert (one.not_corrected, np.isnan(one.change)) == ("all papers are of one year", True)


def test_each_kind_of_text_is_cut_by_its_own_papers() -> None:
    works = [work(f"W{i:03}", year=2010 + i % 10) for i in range(100)]
    full = tuple(f"W{i:03}" for i in range(100) if i % 10 < 2)
    table = growth(cube_of([use(f"W{i:03}") for i in range(0, 100, 3)], works, full_texts=full))
    assert table.set_index("text")["since"].to_dict() == {"full text": 2011, "abstract": 2016}


# --- comparison


def test_two_selections_differ_by_newcombes_interval() -> None:
    works = [work(f"W{i:03}", year=2018 if i < 80 else 2022) for i in range(150)]
    users = [*range(48), *range(80, 136)]
    held = cube_of([use(f"W{i:03}") for i in users], works)
    (found,) = compare(
        held, Selection(years=(2020, 2026), text="abstract"),
        Selection(years=(2012, 2019), text="abstract"),
    ).to_dict("records")  # fmt: skip
    assert (found["n_1"], found["n_papers_1"], found["n_2"], found["n_papers_2"]) == (
        56,
        70,
        48,
        80,
    )
    assert found["n_both"] == 0
    assert (found["low"], found["high"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    pooled = 104 / 150
    z = 0.2 / (pooled * (1 - pooled) * (1 / 70 + 1 / 80)) ** 0.5
    assert found["p"] == pytest.approx(math.erfc(z / 2**0.5))
    assert found["not_corrected"] == "no gold labels"


def test_a_selection_within_another_heeds_the_papers_in_both() -> None:
    works = [work(f"W{i:03}", abstract="CT" if i < 50 else "MRI") for i in range(100)]
    held = cube_of([use(f"W{i:03}") for i in range(0, 100, 3)], works)
    every, some = Selection(text="abstract"), Selection(text="abstract", modality=("ct",))
    (same,) = compare(held, every, every).to_dict("records")
    assert (same["difference"], same["p"], same["n_both"]) == (0, 1, 100)
    (part,) = compare(held, some, every).to_dict("records")
    apart = wilson(17, 50)
    assert part["n_both"] == 50
    assert part["high"] - part["low"] < apart[1] - apart[0]


def test_many_datasets_are_held_to_holms_level() -> None:
    works = [work(f"W{i:03}", year=2018 if i < 60 else 2022) for i in range(120)]
    uses = [use(f"W{i:03}") for i in range(60)]
    uses += [use(f"W{i:03}", "COCO") for i in range(50, 70)]
    table = compare(
        cube_of(uses, works), Selection(years=(2022, 2022), text="abstract"),
        Selection(years=(2018, 2018), text="abstract"), datasets=("ImageNet", "COCO", "CheXpert"),
    )  # fmt: skip
    assert table["dataset"].tolist()[0] == "ImageNet"
    assert row_of(table, dataset="CheXpert").n_1 == 0
    assert row_of(table, dataset="ImageNet").p_holm == pytest.approx(
        3 * row_of(table, dataset="ImageNet").p
    )


def gold_of(n: int, true: range, weight: float = 1.0) -> pa.Table:
    used = {"dataset": "ImageNet", "role": "source", "truth": True}
    rows = [
        {"work_id": f"W{i:03}", "stratum": "all", "weight": weight} | (used if i in true else {})
        for i in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=GOLD)


def test_a_corrected_difference_is_of_corrected_shares() -> None:
    works = [work(f"W{i:03}", year=2018 if i < 60 else 2022) for i in range(120)]
    held = cube_of([use(f"W{i:03}") for i in range(90)], works)
    later, before = (Selection(years=(y, y), text="abstract") for y in (2022, 2018))
    (found,) = compare(held, later, before, gold=gold_of(120, range(40, 80))).to_dict("records")
    assert found["difference"] == pytest.approx(30 / 60 - 1)
    assert found["corrected"] == pytest.approx(20 / 60 - 20 / 60)
    assert found["corrected_low"] < 0 < found["corrected_high"]
    assert found["corrected_p"] == pytest.approx(1)


# --- findings


def many() -> Cube:
    """60 papers before 2020 and 60 since, read by abstract; medical sources came since."""
    works = [work(f"W{i:03}", year=2017 if i < 60 else 2023) for i in range(120)]
    uses = [use(f"W{i:03}", implied=i % 2 == 0) for i in range(80)]
    uses += [use(f"W{i:03}", "CheXpert") for i in range(70, 110)]
    uses += [use("W111", "unspecified", implied=True)]
    return cube_of(uses, works)


def test_five_findings_each_with_n_interval_and_how_sure() -> None:
    found = {finding.name: finding for finding in findings(many())}
    assert tuple(found) == NAMES
    most = found["most used"]
    assert (most.dataset, most.n, most.n_papers) == ("ImageNet", 80, 120)
    assert (most.low, most.high) == wilson(80, 120)
    assert "67% [58%, 74%]" in most.sentence
    assert most.sure == "uncorrected"
    medical = found["medical"]
    assert medical.value == pytest.approx(40 / 51)
    assert medical.sure == "uncorrected"
    assert (
        "78% have a medical one since 2020 (40 of 51) and 0% before (0 of 60)" in medical.sentence
    )
    assert found["implied"].n == 36  # W000 to W068 even, and I3's
    assert found["unnamed"].n == 1
    assert found["concentration"].value == pytest.approx(1 / ((2 / 3) ** 2 + (1 / 3) ** 2))
    for finding in found.values():
        assert finding.text == "abstract"
        assert "errors are not in it" in finding.how_sure
        assert str(finding.n_papers) in finding.sentence or finding.name == "medical"


def test_too_few_papers_or_an_interval_with_both_answers_is_undetermined() -> None:
    few = findings(cube_of([use()], [work()]))
    assert [finding.sure for finding in few] == ["undetermined"] * 5
    assert all(finding.value is None for finding in few)
    assert all("needed" in finding.sentence for finding in few)
    assert "1 papers with a source since then and 0 before, 30 of each needed" in few[1].sentence
    works = [work(f"W{i:03}", year=2017 if i < 60 else 2023) for i in range(120)]
    uses = [use(f"W{i:03}", "CheXpert" if i % 2 else "ImageNet") for i in range(120)]
    medical = findings(cube_of(uses, works))[1]
    assert medical.sure == "undetermined"
    assert "is undetermined" in medical.sentence


def test_findings_on_nothing_and_corrected_by_gold() -> None:
    assert all(finding.sure == "undetermined" for finding in findings(cube_of([], [])))
    most = findings(many(), gold=gold_of(120, range(60)))[0]
    assert most.sure == "corrected"
    assert most.corrected == pytest.approx(0.5)
    assert "50% [" in most.sentence
    assert "(found: 67% [58%, 74%], in 80 of 120)" in most.sentence
    assert "corrected for the annotator's errors" in most.how_sure


def test_corrected_findings_tell_what_was_found_beside() -> None:
    held, gold = in_two_thirds()
    found = {each.name: each for each in findings(held, gold=gold)}["concentration"]
    assert found.sure == "corrected"
    assert found.value == pytest.approx(1.8)
    assert found.corrected == pytest.approx(2.01709, rel=1e-5)  # as worked above
    assert "as diverse as 2.0 [" in found.sentence
    assert "(found: 1.8 [" in found.sentence
    # ImageNet's papers of 2023 truly use CheXpert, all others what was said.
    works = [work(f"W{i:03}", year=2017 if i < 60 else 2023) for i in range(120)]
    held = cube_of([use(f"W{i:03}") for i in range(120)], works)
    rows = [
        {"work_id": f"W{i:03}", "stratum": "all", "weight": 1.0, "role": "source", "truth": True}
        | {"dataset": "ImageNet" if i < 60 else "CheXpert"}
        for i in range(120)
    ]
    gold = pa.Table.from_pylist(rows, schema=GOLD)
    assert findings(held, gold=gold)[1].sure == "undetermined"  # none was found in any
    some = cube_of([*(use(f"W{i:03}") for i in range(119)), use("W119", "CheXpert")], works)
    medical = findings(some, gold=gold)[1]
    assert medical.sure == "corrected"
    assert "a change of +2 [-5, +9] percentage points as found" in medical.sentence
    assert "and of +100 [" in medical.sentence


def test_sensitivity_shows_each_finding_at_each_threshold() -> None:
    works = [work(f"W{i:03}") for i in range(60)]
    uses = [use(f"W{i:03}", score=0.55 if i % 2 else 0.95) for i in range(60)]
    table = sensitivity(cube_of(uses, works), thresholds=(0.5, 0.9))
    assert len(table) == 10
    most = table[table["name"] == "most used"]
    assert most["min_score"].tolist() == [0.5, 0.9]
    assert most["value"].tolist() == [1.0, 0.5]


# --- words


def test_words_make_a_selection() -> None:
    words = {"years": "2018-2020", "modality": ["ct"], "text": "together", "venue": None}
    where = selection(words)
    assert where == Selection(years=(2018, 2020), modality=("ct",), text="together")
    assert otherwise(where, ["years=2021", "modality="]) == Selection(
        years=(2021, 2021), text="together"
    )
    assert otherwise(where, ["organ=lung;heart", "years="]).organ == ("lung", "heart")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["years"], "NAME=VALUE"),
        (["years=next"], "2018-2024"),
        (["colour=red"], "is not one of"),
        (["min_score=high"], "is no number"),
    ],
)
def test_words_that_say_nothing_are_refused(words: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        otherwise(Selection(), words)


def test_every_question_has_its_frame() -> None:
    held = many()
    for what in ("shares", "concentration", "transfers", "growth", "first", "findings"):
        assert isinstance(frame(what, held, where=Selection()), pd.DataFrame)
    assert len(frame("sensitivity", held, where=Selection())) == 35
    with pytest.raises(InputError, match="--against"):
        frame("compare", held, where=Selection())
    with pytest.raises(InputError, match="is not one of"):
        frame("sums", held, where=Selection())


# --- gold labels


def test_gold_labels_come_from_parquet_csv_and_json_lines(tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    gold = gold_of(4, range(2), weight=2.5)
    pyarrow.parquet.write_table(gold, tmp_path / "g.parquet")
    pyarrow.csv.write_csv(gold, tmp_path / "g.csv")
    gold.to_pandas().to_json(tmp_path / "g.jsonl", orient="records", lines=True)
    for name in ("g.parquet", "g.csv", "g.jsonl"):
        assert read_labels(tmp_path / name).to_pylist() == gold.to_pylist(), name
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    for name in ("bad.csv", "none.csv", "g.txt"):
        with pytest.raises(InputError, match=r"gold labels|none of"):
            read_labels(tmp_path / name)


def test_a_paper_that_readers_differ_on_is_read_as_each_has_it() -> None:
    pair = ("ImageNet", "source")
    papers = [
        SimpleNamespace(work_id="W001", stratum="a", weight=10.0, readings=[{pair}]),
        SimpleNamespace(work_id="W002", stratum="a", weight=10.0, readings=[set(), {pair}]),
        SimpleNamespace(work_id="W003", stratum="b", weight=4.0, readings=[set()]),
    ]
    table = table_of(papers)
    assert table.select(["work_id", "dataset", "weight", "reading"]).to_pylist() == [
        {"work_id": "W001", "dataset": "ImageNet", "weight": 10.0, "reading": None},
        {"work_id": "W002", "dataset": None, "weight": 10.0, "reading": 0},
        {"work_id": "W002", "dataset": "ImageNet", "weight": 10.0, "reading": 1},
        {"work_id": "W003", "dataset": None, "weight": 4.0, "reading": None},
    ]
    held = read(cube_of([], [work(f"W{i:03}") for i in range(1, 5)]), table)
    assert (held.n, held.n_papers) == (4, 3)
    assert sorted(zip(held.weight, held.part, strict=True)) == [
        (4, 1), (10, 0.5), (10, 0.5), (10, 1),
    ]  # fmt: skip


def test_a_paper_that_readers_differ_on_counts_half_in_a_corrected_share() -> None:
    # 40 papers, none of them said to use ImageNet; of 40 read, one does and two are disputed.
    works = [work(f"W{i:03}") for i in range(40)]
    pair = ("ImageNet", "source")
    plain = [
        SimpleNamespace(
            work_id=f"W{i:03}", stratum="s", weight=1.0, readings=[{pair} if i < 1 else set()]
        )
        for i in range(38)
    ]
    differ = [
        SimpleNamespace(work_id=f"W{i:03}", stratum="s", weight=1.0, readings=[{pair}, set()])
        for i in (38, 39)
    ]
    held, gold = cube_of([use("W000", score=0.2)], works), table_of([*plain, *differ])
    (row,) = shares(held, by="all", where=Selection(min_score=0.1), gold=gold).to_dict("records")
    assert row["n_gold"] == 40
    assert row["corrected"] == pytest.approx((1 + 2 * 0.5) / 40)
    assert "by 40 gold papers, 2 of them as each reader has it" in note(held, gold=gold)
    # Whether a paper transfers is asked of each reading: both readers of W039 say that it does.
    both = SimpleNamespace(
        work_id="W039", stratum="s", weight=1.0, readings=[{pair}, {("COCO", "source")}]
    )
    gold = table_of([*plain, differ[0], both])
    (row,) = shares(
        held, by="all", where=Selection(min_score=0.1, among="transfer"), gold=gold
    ).to_dict("records")
    assert row["corrected"] == pytest.approx((1 + 0.5 + 0.5) / (1 + 0.5 + 1))


def test_weights_below_one_or_two_of_a_paper_are_refused() -> None:
    held = cube_of([], [work("W000"), work("W001")])
    with pytest.raises(InputError, match="below 1"):
        read(held, gold_of(1, range(1), weight=0.5))
    two = pa.concat_tables([gold_of(1, range(1)), gold_of(1, range(0), weight=2)])
    with pytest.raises(InputError, match="two weights"):
        read(held, two)
    with pytest.raises(InputError, match="lack the columns"):
        read(held, gold_of(1, range(1)).drop_columns(["weight"]))
    assert read(held, gold_of(5, range(5))).n == 2  # the others are not in the survey


# --- organs and tasks


@pytest.mark.parametrize(
    ("text", "by", "groups"),
    [
        ("Brain tumour segmentation in MRI", "organ", {"brain"}),
        ("Brain tumour segmentation in MRI", "task", {"segmentation"}),
        ("Detection of pneumonia in chest X-rays", "organ", {"lung"}),
        ("Detecting polyps in colonoscopy", "organ", {"colon and bowel"}),
        ("Detecting polyps in colonoscopy", "task", {"detection"}),
        ("Skin lesion diagnosis", "organ", {"skin"}),
        ("Grading of diabetic retinopathy", "organ", {"eye"}),
        ("Grading of diabetic retinopathy", "task", {"classification"}),
        ("Knee osteoarthritis from radiographs", "organ", {"bone and joint"}),
        ("Fetal ultrasound biometry", "organ", {"fetus"}),
        ("Foetal heart views", "organ", {"fetus", "heart"}),
        ("Survival prediction in liver cancer", "task", {"prognosis"}),
        ("Radiology report generation", "task", {"reports and questions"}),
        ("CT super-resolution", "task", {"generation and enhancement"}),
        ("Deformable registration of lung CT", "task", {"registration"}),
        ("A survey of methods", "organ", {"unknown"}),
        ("A survey of methods", "task", {"unknown"}),
        ("Shipping containers and thematic maps", "organ", {"unknown"}),
    ],
)
def test_organs_and_tasks_are_told_by_words(text: str, by: str, groups: set[str]) -> None:
    held = cube_of([], [work(title=text, abstract=None)])
    assert set(held.groups[by].names) == groups  # type: ignore[index]


def test_every_group_has_a_pattern_and_where_it_is_from() -> None:
    import csv

    for by, name in (("organ", "organs"), ("task", "tasks")):
        path = Path(__file__).parents[2] / "data" / "facts" / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert all(row["pattern"] and row["source"] for row in rows)
        assert len({row[by] for row in rows}) == len(rows)
    assert all(len(patterns(by)) < 63 for by in TOPICS)  # a bit each


# --- the command line


def test_the_command_line_asks_each_question(tmp_path: Path) -> None:
    works = [work(f"W{i:03}", year=2018 if i < 40 else 2022) for i in range(80)]
    uses = [use(f"W{i:03}") for i in range(50)] + [use("W001", "BraTS", "target")]
    survey(tmp_path / "s", works, uses)
    gold = tmp_path / "gold.jsonl"
    gold_of(80, range(40)).to_pandas().to_json(gold, orient="records", lines=True)

    def told(*words: str) -> list[dict[str, object]]:
        arguments = ["trends", *words, "-C", str(tmp_path / "s"), "--json"]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        rows: list[dict[str, object]] = json.loads(done.stdout)
        return rows

    (share,) = told("shares", "--by", "all", "--gold", str(gold))
    assert (share["share"], share["corrected"]) == (50 / 80, 0.5)
    assert [row["n"] for row in told("--years", "2022")] == [10]
    (change,) = told("compare", "--years", "2022", "--against", "years=2018")
    assert change["difference"] == 10 / 40 - 1
    assert change["corrected"] is None
    assert [row["target"] for row in told("transfers")] == ["BraTS"]
    assert [row["dataset"] for row in told("first")] == ["ImageNet"]
    assert len(told("findings")) == 5
    assert {row["measure"] for row in told("concentration")} > {"gini", "hhi"}
    assert told("growth")[0]["not_fitted"] == "fewer than three years"
    shown = CliRunner().invoke(app, ["trends", "--gold", str(gold), "-C", str(tmp_path / "s")])
    assert "100.0 [91.2-100.0], corrected 100.0" in shown.stdout
    assert "corrected values are by 80 gold papers" in shown.stderr
    listed = CliRunner().invoke(app, ["trends", "findings", "-C", str(tmp_path / "s")])
    assert "ImageNet is the source that more papers use than any other" in listed.stdout
