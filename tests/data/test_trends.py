import math
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
from builders import decision, survey, use, work
from hypothesis import given, settings
from hypothesis import strategies as st

from data.claims import claims
from data.corpus import Corpus
from data.counting import datasets_of, values_of, works_of
from data.cube import BYS, Counted, Cube, Selection, cube, survey_cube
from data.errors import InputError
from data.gold_sample import GOLD
from data.records import ROLES, Decision, Use, Work, to_table
from data.trends import (
    leading,
    note,
    shares,
    survey_citations,
    survey_claims,
    survey_counts,
    survey_papers_by_year,
    survey_presence,
)


def cube_of(uses: list[Use], works: list[Work], *, full_texts: tuple[str, ...] = ()) -> Cube:
    found = claims(to_table(Use, uses), to_table(Decision, []))
    return cube(found, to_table(Work, works), full_texts=full_texts)


def frame_of(uses: list[Use], works: list[Work], **where: Any) -> dict[object, object]:
    frame = shares(cube_of(uses, works), by="year", where=Selection(**where))
    return {(row.group, row.dataset): (row.n, row.n_papers) for row in frame.itertuples()}


def test_the_denominator_is_every_annotated_paper_of_the_group() -> None:
    works = [work("W1"), work("W2"), work("W3", year=2021)]
    assert frame_of([use("W1")], works) == {
        ("2020", "ImageNet"): (1, 2),
        ("2021", "ImageNet"): (0, 1),
    }


def test_among_transfer_counts_papers_with_a_source_only() -> None:
    uses = [use("W1"), use("W2", "CheXpert", "target")]
    works = [work("W1"), work("W2")]
    assert frame_of(uses, works, among="transfer") == {("2020", "ImageNet"): (1, 1)}


def test_a_paper_counts_once_however_often_it_names_a_dataset() -> None:
    assert frame_of([use(), use(start=50, end=58)], [work()]) == {("2020", "ImageNet"): (1, 1)}


def test_claims_below_the_score_do_not_count() -> None:
    assert frame_of([use(score=0.3)], [work()]) == {}
    assert frame_of([use(score=0.3)], [work()], min_score=0.2) == {("2020", "ImageNet"): (1, 1)}


def test_rejected_claims_do_not_count(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work()], [use()])
    with corpus.journal() as journal:
        journal.decide([decision("a", "reject")])
    with corpus.connect() as db:
        held = survey_cube(db)
    assert shares(held, by="year").empty
    assert "n = 1 annotated papers" in note(held)


def test_a_paper_counts_in_each_of_its_countries_and_modalities() -> None:
    text = work(abstract="CT and chest X-ray", countries=("US", "DE", "US"))
    held = cube_of([use("W1"), use("W2")], [text, work("W2", abstract="Nothing")])
    known = {"country": {"DE", "US"}, "modality": {"ct", "x-ray"}}
    for by, groups in known.items():
        frame = shares(held, by=by)  # type: ignore[arg-type]
        assert set(frame["group"]) == groups | {"unknown"}
        assert set(frame["n"]) == set(frame["n_papers"]) == {1}


def test_an_unknown_venue_is_a_group_of_its_own() -> None:
    frame = shares(cube_of([use()], [work(venue=None)]), by="venue")
    assert frame["group"].tolist() == ["unknown"]


def test_a_wrong_choice_names_the_right_ones() -> None:
    held = cube_of([use()], [work()])
    for options in ({"by": "month"}, {"by": "year", "of": "x"}, {"by": "year", "role": "sourse"}):
        with pytest.raises(InputError, match="is not one of"):
            shares(held, **options)  # type: ignore[arg-type]
    for field in ("text", "among", "presence"):
        with pytest.raises(InputError, match="is not one of"):
            Selection(**{field: "x"})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="run backwards"):
        Selection(years=(2021, 2020))
    with pytest.raises(InputError, match=r"within 0\.\.1"):
        Selection(min_score=50)


def test_papers_read_in_full_are_never_mixed_with_abstracts_unless_asked_for() -> None:
    uses = [use("W1"), use("W2")]
    held = cube_of(uses, [work("W1"), work("W2"), work("W3")], full_texts=("W1",))
    told = {row.text: (row.n, row.n_papers) for row in shares(held, by="year").itertuples()}
    assert told == {"full text": (1, 1), "abstract": (1, 2)}
    for text, expected in (("full text", (1, 1)), ("abstract", (1, 2)), ("together", (2, 3))):
        (row,) = shares(held, by="year", where=Selection(text=text)).itertuples()  # type: ignore[arg-type]
        assert (row.text, row.n, row.n_papers) == (text, *expected)
    assert "each kind by itself" in note(held)
    assert "mixed as asked for" in note(held, Selection(text="together"))


def test_images_and_naming_are_of_papers_not_of_claims() -> None:
    uses = [
        use("W1"),
        use("W1", "CheXpert"),
        use("W2", "COCO", implied=True),
        use("W3", "unspecified", implied=True),
    ]
    held = cube_of(uses, [work(f"W{i}") for i in range(1, 5)])
    images = {row.dataset: row.n for row in shares(held, by="all", of="images").itertuples()}
    assert images == {"natural": 2, "medical": 1, "unknown": 1}
    naming = {row.dataset: row.n for row in shares(held, by="all", of="naming").itertuples()}
    assert naming == {"named": 1, "implied only": 2}
    unnamed = shares(held, by="all", of="unnamed")
    assert unnamed["n"].tolist() == [1]
    only = shares(held, by="all", of="naming", datasets=("COCO",))
    assert only["dataset"].tolist() == ["implied only"]


def test_a_filter_keeps_papers_and_their_denominator() -> None:
    works = [
        work("W1", abstract="Liver CT segmentation.", countries=("DE",), venue="A"),
        work("W2", abstract="Brain MRI classification.", countries=("US", "DE"), year=2022),
        work("W3", abstract="Brain CT."),
    ]
    uses = [use("W1"), use("W2"), use("W3"), use("W2", "BraTS", "target")]
    for where, n in (
        ({"organ": ("brain",)}, 2),
        ({"organ": ("brain", "liver")}, 3),
        ({"modality": ("ct",), "organ": ("brain",)}, 1),
        ({"task": ("segmentation",)}, 1),
        ({"country": ("DE",)}, 2),
        ({"venue": ("A",)}, 1),
        ({"years": (2021, 2023)}, 1),
        ({"targets": ("BraTS",)}, 1),
        ({"organ": ("heart",)}, None),
    ):
        frame = shares(cube_of(uses, works), by="all", where=Selection(**where))  # type: ignore[arg-type]
        assert frame["n_papers"].tolist() == ([] if n is None else [n]), where


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_counts_are_those_of_a_plain_loop(data: st.DataObject) -> None:
    works, uses = [], []
    for i in range(data.draw(st.integers(1, 12))):
        countries = data.draw(st.sets(st.sampled_from(["DE", "US", "CN"])))
        year = data.draw(st.sampled_from([2019, 2020, None]))
        works.append(work(f"W{i}", year=year, countries=tuple(countries)))
        for dataset in data.draw(st.sets(st.sampled_from(["ImageNet", "COCO", "CheXpert"]))):
            score = data.draw(st.sampled_from([0.2, 0.5, 0.9]))
            role = data.draw(st.sampled_from(["source", "target"]))
            uses.append(use(f"W{i}", dataset, role, score=score))
    full = {each.id for each in works if data.draw(st.booleans())}
    country = data.draw(st.sampled_from([(), ("DE",), ("DE", "CN")]))
    among = data.draw(st.sampled_from(["all", "transfer"]))
    by = data.draw(st.sampled_from(["year", "country"]))
    where = Selection(country=country, among=among)
    frame = shares(cube_of(uses, works, full_texts=tuple(full)), by=by, where=where)

    sources = {(u.work_id, u.dataset) for u in uses if u.role == "source" and u.score >= 0.5}
    expected: dict[tuple[str, str, str], tuple[int, int]] = {}
    for text in ("full text", "abstract"):
        for dataset in {dataset for _, dataset in sources}:
            sizes: Counter[str] = Counter()
            n: Counter[str] = Counter()
            for each in works:
                if (each.id in full) != (text == "full text"):
                    continue
                if country and not set(country) & set(each.countries):
                    continue
                if among == "transfer" and each.id not in {paper for paper, _ in sources}:
                    continue
                mine = each.countries or ("unknown",) if by == "country" else (
                    str(each.year or "unknown"),
                )  # fmt: skip
                sizes.update(mine)
                n.update(mine if (each.id, dataset) in sources else ())
            expected |= {(text, g, dataset): (n[g], sizes[g]) for g in sizes}
    used = {key[2] for key, (k, _) in expected.items() if k}
    expected = {key: counts for key, counts in expected.items() if key[2] in used}
    found = {(r.text, r.group, r.dataset): (r.n, r.n_papers) for r in frame.itertuples()}
    assert found == expected


def test_the_papers_behind_a_number_are_as_many_as_it_says() -> None:
    uses = [use("W1"), use("W2"), use("W3", "COCO"), use("W4", score=0.2)]
    works = [work("W1"), work("W2", year=2021), work("W3"), work("W4")]
    held = cube_of(uses, works)
    where = Selection()
    assert works_of(held, where, by="year", group="2020", dataset="ImageNet") == ["W1"]
    assert works_of(held, where, dataset="ImageNet") == ["W2", "W1"]  # newest first
    assert works_of(held, where) == ["W2", "W1", "W3", "W4"]
    assert works_of(held, Selection(among="transfer")) == ["W2", "W1", "W3"]


def test_what_a_filter_offers() -> None:
    uses = [use("W1"), use("W2"), use("W2", "CheXpert", "target"), use("W1", "unspecified")]
    held = cube_of(uses, [work("W1", year=2021), work("W2"), work("W3", year=None)])
    assert values_of(held, "year").to_dict("list") == {
        "group": ["2020", "2021", "unknown"],
        "n_papers": [1, 1, 1],
    }
    assert values_of(held, "venue")["group"].tolist() == ["unknown"]
    assert datasets_of(held).to_dict("list") == {
        "dataset": ["ImageNet", "CheXpert"],
        "images": ["natural", "medical"],
        "n": [2, 1],
    }
    assert datasets_of(held, "target")["dataset"].tolist() == ["CheXpert"]


def test_a_cube_of_nothing_answers() -> None:
    held = cube_of([], [])
    for by in BYS:
        assert shares(held, by=by).empty
    assert values_of(held, "country").empty
    assert datasets_of(held).empty
    assert "n = 0" in note(held)


def test_gold_papers_correct_a_share() -> None:
    # 100 papers, the annotator finds ImageNet in 50; gold papers say that it misses every fifth.
    works = [work(f"W{i:03}") for i in range(100)]
    uses = [use(f"W{i:03}") for i in range(50)]
    used = {"dataset": "ImageNet", "role": "source", "truth": True}
    rows = [
        {"work_id": f"W{i:03}", "stratum": "all", "weight": 2.0}
        | (used if i < 50 or i % 10 == 0 else {})
        for i in range(0, 100, 2)
    ]
    gold = pa.Table.from_pylist(rows, schema=GOLD)
    (row,) = shares(cube_of(uses, works), by="all", gold=gold).itertuples()
    assert (row.n, row.n_gold) == (50, 50)
    assert row.corrected == pytest.approx(0.5 + 0.5 * 5 / 25)
    assert row.corrected_low < row.corrected < row.corrected_high
    assert row.rogan_gladen == pytest.approx(0.6)
    assert row.not_corrected is None
    (year,) = shares(cube_of(uses, works), by="year", gold=gold.slice(0, 20)).itertuples()
    assert math.isnan(year.corrected)
    assert "fewer than 30 gold papers" in year.not_corrected


def test_gold_compares_with_what_the_annotator_said_not_with_what_people_decided(
    tmp_path: Path,
) -> None:
    works = [work(f"W{i:03}") for i in range(80)]
    corpus = survey(tmp_path, works, [use(f"W{i:03}") for i in range(40)])
    with corpus.journal() as journal:
        journal.decide([decision(f"u{i}", "reject", work_id=f"W{i:03}") for i in range(20)])
    with corpus.connect() as db:
        held = survey_cube(db)
    rows = [
        {"work_id": f"W{i:03}", "stratum": "all", "weight": 1.0}
        | ({"dataset": "ImageNet", "role": "source", "truth": True} if 20 <= i < 40 else {})
        for i in range(80)
    ]
    (row,) = shares(held, by="all", gold=pa.Table.from_pylist(rows, schema=GOLD)).itertuples()
    assert row.n == 20  # people's word counts at once
    assert row.corrected == pytest.approx(0.25)  # and the annotator's share of 1/2 is halved


def test_gold_says_nothing_of_names_and_citations() -> None:
    works = [work(f"W{i:02}") for i in range(40)]
    rows = [{"work_id": each.id, "stratum": "all", "weight": 1.0} for each in works]
    gold = pa.Table.from_pylist(rows, schema=GOLD)
    held = cube_of([use("W00")], works)
    for options in ({"of": "naming"}, {"where": Selection(presence="named")}):
        (row,) = shares(held, by="all", gold=gold, **options).itertuples()  # type: ignore[arg-type]
        assert "named or cited" in row.not_corrected


def test_leading_leaves_out_weights_of_unnamed_origin() -> None:
    uses = [use("W1", "unspecified"), use("W2", "unspecified"), use("W1")]
    held = cube_of(uses, [work("W1"), work("W2")])
    assert leading(shares(held, by="year"), 5) == ["ImageNet"]
    assert shares(held, by="year", top=5)["dataset"].tolist() == ["ImageNet"]


def test_counts_name_why_works_were_left_out(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2")], [use()])
    with corpus.journal() as journal:
        journal.screen("protocol", [("W2", False, "retracted")], now=work().fetched_at)
    with corpus.connect() as db:
        counts = survey_counts(db)
        by_year = survey_papers_by_year(db)
    assert counts["works"] == 2
    assert counts["in the survey"] == 1
    assert counts["left out: retracted"] == 1
    assert by_year.to_dict(orient="records") == [{"year": 2020, "n": 1}]


def test_a_merged_version_is_neither_paper_nor_claim(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2")], [use("W1"), use("W2", "COCO")])
    with corpus.journal() as journal:
        journal.replace_versions([("W1", "W2", "same DOI")], splits=set(), now=work().fetched_at)
    with corpus.connect() as db:
        counts = survey_counts(db)
        found, papers = survey_claims(db)
    assert (counts["in the survey"], counts["versions merged"], counts["annotated"]) == (1, 1, 1)
    assert papers["id"].to_pylist() == ["W2"]
    assert found["dataset"].to_pylist() == ["COCO"]


# ImageNet's paper is W2108598243 or W2117539524, COCO's W1861492603: see the packaged table.
_IMAGENET, _COCO = "W2108598243", "W1861492603"


def cited_survey(path: Path) -> Corpus:
    """W1 names and cites ImageNet, W2 names it, W3 cites it; W4 has no references and names it."""
    works = [
        work("W1", references=(_IMAGENET, _COCO)),
        work("W2", references=("W5",)),
        work("W3", references=(_IMAGENET,)),
        work("W4"),
    ]
    return survey(path, works, [use("W1"), use("W2"), use("W4"), use("W3", "COCO", implied=True)])


@pytest.mark.parametrize(
    ("presence", "imagenet"),
    [
        (None, (3, 4)),
        ("named", (3, 4)),
        ("both", (1, 3)),  # of those with references
        ("cited", (2, 3)),
        ("any", (4, 4)),
    ],
)
def test_each_witness_counts_its_papers(
    tmp_path: Path, presence: str | None, imagenet: tuple[int, int]
) -> None:
    with cited_survey(tmp_path).connect() as db:
        frame = shares(survey_cube(db), by="year", where=Selection(presence=presence))  # type: ignore[arg-type]
        told = survey_citations(db)
    rows = {row.dataset: (row.n, row.n_papers) for row in frame.itertuples()}
    assert rows["ImageNet"] == imagenet
    assert "2 of them cited only" in told


def test_what_is_implied_counts_where_the_text_does_but_not_where_the_name_must_stand(
    tmp_path: Path,
) -> None:
    with cited_survey(tmp_path).connect() as db:
        held = survey_cube(db)
    witnesses: tuple[Counted | None, ...] = (None, *get_args(Counted))
    told = {
        presence: set(shares(held, by="year", where=Selection(presence=presence))["dataset"])
        for presence in witnesses
    }
    assert "COCO" in told[None]
    assert "COCO" not in told["named"] | told["both"]
    assert "COCO" in told["cited"] & told["any"]  # W1 cites its paper


def test_a_citation_alone_is_in_no_share_unless_asked_for(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1", references=(_IMAGENET,))], [])
    with corpus.connect() as db:
        held = survey_cube(db)
        for role in ROLES:
            assert shares(held, by="year", role=role).empty
        assert survey_claims(db)[0].num_rows == 0


def test_presence_is_tabled_by_dataset(tmp_path: Path) -> None:
    with cited_survey(tmp_path).connect() as db:
        rows = {row["dataset"]: row for row in survey_presence(db).to_dict(orient="records")}
    assert rows["ImageNet"] == {
        "dataset": "ImageNet",
        "named": 1,
        "both": 1,
        "implied and cited": 0,
        "cited only": 1,
        "named, without references": 1,
    }
    assert rows["COCO"]["cited only"] == 1


def test_a_fault_in_the_surveys_own_table_is_told(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work()], [use()])
    (tmp_path / "datasets.csv").write_text("id,name\nA,B\n")
    with corpus.connect() as db, pytest.raises(InputError, match="columns"):
        survey_claims(db)
