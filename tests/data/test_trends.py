from pathlib import Path

import pytest
from builders import decision, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from data.claims import claims
from data.corpus import Corpus
from data.errors import InputError
from data.records import Decision, Use, Work, to_table
from data.trends import (
    groups,
    leading,
    shares,
    survey_claims,
    survey_counts,
    survey_papers_by_year,
    survey_presence,
    survey_shares,
    wilson,
)


def test_wilson_is_the_published_interval() -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_without_papers_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(a: int, b: int) -> None:
    n, k = max(a, b), min(a, b)
    low, high = wilson(k, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= k / n <= high


def frame_of(uses: list[Use], works: list[Work], **options: object) -> dict[object, object]:
    found = claims(to_table(Use, uses), to_table(Decision, []))
    frame = shares(found, to_table(Work, works), by="year", **options)  # type: ignore[arg-type]
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
        frame, note = survey_shares(db, by="year")
    assert frame.empty
    assert "n = 1 annotated papers" in note
    assert "1 decisions" in note


def test_a_paper_counts_in_each_of_its_countries_and_modalities() -> None:
    text = work(abstract="CT and chest X-ray", countries=("US", "DE", "US"))
    table = to_table(Work, [text, work("W2", abstract="Nothing")])
    by_country = groups(table, "country").to_pylist()
    assert sorted((row["work_id"], row["group"]) for row in by_country) == [
        ("W1", "DE"),
        ("W1", "US"),
        ("W2", "unknown"),
    ]
    by_modality = groups(table, "modality").to_pylist()
    assert {row["group"] for row in by_modality if row["work_id"] == "W1"} == {"ct", "x-ray"}


def test_an_unknown_venue_is_a_group_of_its_own() -> None:
    rows = groups(to_table(Work, [work(venue=None)]), "venue").to_pylist()
    assert rows == [{"work_id": "W1", "group": "unknown"}]


def test_a_wrong_choice_names_the_right_ones(tmp_path: Path) -> None:
    with survey(tmp_path).connect() as db, pytest.raises(InputError, match="year, venue"):
        survey_shares(db, by="month")


def test_leading_leaves_out_weights_of_unnamed_origin() -> None:
    uses = [use("W1", "unspecified"), use("W2", "unspecified"), use("W1")]
    found = claims(to_table(Use, uses), to_table(Decision, []))
    works = to_table(Work, [work("W1"), work("W2")])
    assert leading(shares(found, works, by="year"), 5) == ["ImageNet"]


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
        frame, note = survey_shares(db, by="year", presence=presence)
    rows = {row.dataset: (row.n, row.n_papers) for row in frame.itertuples()}
    assert rows["ImageNet"] == imagenet
    assert ("2 of them cited only" in note) == (presence is not None)


def test_what_is_implied_counts_where_the_text_does_but_not_where_the_name_must_stand(
    tmp_path: Path,
) -> None:
    with cited_survey(tmp_path).connect() as db:
        told = {
            presence: set(survey_shares(db, by="year", presence=presence)[0]["dataset"])
            for presence in (None, "named", "both", "cited", "any")
        }
    assert "COCO" in told[None]
    assert "COCO" not in told["named"] | told["both"]
    assert "COCO" in told["cited"] & told["any"]  # W1 cites its paper


def test_a_citation_alone_is_in_no_share_unless_asked_for(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1", references=(_IMAGENET,))], [])
    with corpus.connect() as db:
        for role in ("source", "target", "mention"):
            assert survey_shares(db, by="year", role=role)[0].empty
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
