"""The gold sample: known chances, an order that only grows, and how many more must be read."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW, decision, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from annotate.sampling import _bands, draw, frame, still_needed
from data.corpus import Corpus
from data.cube import survey_cube
from data.errors import InputError
from data.gold import survey_gold
from data.gold_sample import survey_labels
from data.trends import shares


def corpus_of(path: Path, n: int = 200) -> Corpus:
    works = [
        work(f"W{k:03d}", year=2015 + k % 10, venue=("MIDL", "MIA", "TMI")[k % 3]) for k in range(n)
    ]
    uses = [use(w.id, score=0.9 if k % 4 == 1 else 0.6) for k, w in enumerate(works) if k % 2]
    return survey(path, works, uses)


def strata_of(corpus: Corpus, n: int, seed: int = 1) -> list[tuple[str, str, int]]:
    with corpus.connect() as db:
        return frame(db, n=n, seed=seed)


def closed(corpus: Corpus, works: list[str], with_source: set[str], *readers: str) -> None:
    made = [
        decision(
            f"{kind}-{one}-{who}",
            kind,
            work_id=one,
            reviewer=who,
            proposed_dataset=None,
            proposed_role=None,
            dataset="ImageNet" if kind == "add" else None,
            role="source" if kind == "add" else None,
            queue="gold",
            blind=True,
        )
        for one in works
        for who in readers
        for kind in (["add", "done"] if one in with_source else ["done"])
    ]
    with corpus.journal() as journal:
        journal.decide(made)


def test_a_sample_is_the_same_for_everybody_and_grows_only(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert strata_of(corpus, 40) == strata_of(corpus, 40)
    assert strata_of(corpus, 40) != strata_of(corpus, 40, seed=2)
    draw(corpus, n=40, seed=7, now=NOW)
    with corpus.journal() as journal:
        first = journal.sample()["work_id"].to_pylist()
    assert draw(corpus, n=60, now=NOW).seed == 7
    with corpus.journal() as journal:
        more = journal.sample()
    assert more["work_id"].to_pylist()[:40] == first
    assert len(more) == 60


def test_every_stratum_is_drawn_from_and_the_weights_add_up(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    drawn = draw(corpus, n=60, seed=1, now=NOW)
    with corpus.journal() as journal:
        sample, rows = journal.sample(), journal.frame()
    assert set(sample["stratum"].to_pylist()) == {stratum for _, stratum, _ in rows}
    assert min(Counter(sample["stratum"].to_pylist()).values()) >= 2
    assert sum(sample["weight"].to_pylist()) == pytest.approx(200)
    assert (drawn.n_frame, drawn.n) == (200, 60)
    assert drawn.n_strata * 4 <= 60


def test_strata_are_as_fine_as_the_sample_bears(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    n_strata = [len({stratum for _, stratum, _ in strata_of(corpus, n)}) for n in (8, 20, 200)]
    assert n_strata[:2] == [1, 3]
    assert n_strata == sorted(n_strata)
    assert n_strata[2] > 3


def test_each_paper_of_a_stratum_has_the_same_chance(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=40)
    times: Counter[str] = Counter()
    with corpus.connect() as db:
        for seed in range(200):
            times.update(work for work, _, place in frame(db, n=8, seed=seed) if place < 8)
    # One stratum, 8 of 40: each is drawn 40 times of 200, standard deviation 5.7.
    assert len(times) == 40
    assert all(abs(count - 40) < 5 * 5.7 for count in times.values())


@given(st.lists(st.integers(1990, 2030), min_size=1, max_size=80))
def test_bands_cover_each_year_once_in_order(years: list[int]) -> None:
    bands = _bands(years)
    assert set(bands) == set(years)
    assert 1 <= len(set(bands.values())) <= 4
    for year, band in bands.items():
        first, last = (int(end) for end in (band.split("-") * 2)[:2])
        assert first <= year <= last


def test_a_draw_that_cannot_be_is_told(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=20)
    with pytest.raises(InputError, match="has 20 annotated"):
        draw(corpus, n=21, now=NOW)
    draw(corpus, n=10, seed=3, now=NOW)
    for wrong, why in (({"n": 12, "seed": 4}, "seed 3"), ({"n": 9}, "10 gold papers are drawn")):
        with pytest.raises(InputError, match=why):
            draw(corpus, now=NOW, **wrong)
    assert draw(corpus, n=9, again=True, now=NOW).seed == 3
    with pytest.raises(InputError, match="no gold sample"), survey(tmp_path / "x").connect() as db:
        survey_gold(db)


def test_labels_of_gold_papers_stand_for_their_stratum(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=40)
    draw(corpus, n=8, seed=1, now=NOW)
    with corpus.journal() as journal:
        works = journal.sample()["work_id"].to_pylist()
    closed(corpus, works[:4], {works[0]}, "ann", "bob")
    closed(corpus, works[4:5], set(), "ann")  # one reader is not enough
    closed(corpus, works[5:6], set(works[5:6]), "ann")
    closed(corpus, works[5:6], set(), "bob")
    with corpus.connect() as db:
        labels = survey_gold(db).papers()
    assert {paper.work_id for paper in labels} == {*works[:4], works[5]}
    assert sum(paper.weight for paper in labels) == pytest.approx(40)
    found = {paper.work_id: paper for paper in labels}
    assert found[works[0]].uses == {("ImageNet", "source")}
    assert (found[works[5]].uses, found[works[5]].disputed) == (set(), {("ImageNet", "source")})
    with corpus.journal() as journal:
        settled = decision("s", "accept", work_id=works[5], queue="adjudicate", dataset="ImageNet")
        journal.decide([settled])
    with corpus.connect() as db:
        found = {paper.work_id: paper for paper in survey_gold(db).papers()}
    assert found[works[5]].uses == {("ImageNet", "source")}


def test_the_width_that_is_wanted_says_how_many_more(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    draw(corpus, n=8, seed=1, now=NOW)
    before = still_needed(corpus, dataset="ImageNet", width=20)
    assert (before.n_read, before.share) == (0, None)
    # Simple random sampling, p = 1/2: 1.96 sqrt(p q / n (1 - n / 200)) <= 0.1 gives n = 65.
    assert before.n_papers == 65
    assert before.n_decisions == 130
    assert still_needed(corpus, dataset="ImageNet", width=10).n_papers > before.n_papers
    with corpus.journal() as journal:
        order = [work for work, _, _ in journal.frame()]
    closed(corpus, order[:60], set(order[:30]), "ann", "bob")
    closed(corpus, order[60:61], set(), "ann")
    with corpus.journal() as journal:
        journal.draw(100, now=NOW + timedelta(1))
    after = still_needed(corpus, dataset="ImageNet", width=20)
    assert (after.n_read, after.n_papers, after.n_decisions) == (60, 5, 9)
    assert after.share == pytest.approx(0.5)
    assert after.low == pytest.approx(0.5 - 1.96 * (0.25 / 60 * 0.7) ** 0.5, abs=1e-3)
    assert still_needed(corpus, dataset="ImageNet", width=40).n_papers == 0
    rare = still_needed(corpus, dataset="BraTS", width=20)
    assert (rare.share, rare.n_papers) == (0.0, 0)


def test_a_year_is_planned_by_its_own_papers(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    draw(corpus, n=8, seed=1, now=NOW)
    one = still_needed(corpus, dataset="ImageNet", width=30, year=2020)
    assert 1 <= one.n_papers <= 20  # of the 20 papers of that year
    with pytest.raises(InputError, match="no paper of 1999"):
        still_needed(corpus, dataset="ImageNet", width=30, year=1999)


def test_gold_papers_correct_the_shares_of_their_survey(tmp_path: Path) -> None:
    # Half of the papers are said to use ImageNet, half of these by mistake.
    corpus = corpus_of(tmp_path)
    with corpus.connect() as db:
        assert survey_labels(db) is None
    draw(corpus, n=80, seed=1, now=NOW)
    with corpus.connect() as db:
        assert survey_labels(db) is None
        drawn = [row[0] for row in db.sql("SELECT work_id FROM sample").fetchall()]
    right = {one for one in drawn if int(one[1:]) % 4 == 1}
    closed(corpus, drawn, right, "ann", "bob")
    with corpus.connect() as db:
        labels, counted = survey_labels(db), survey_cube(db)
    (row,) = shares(counted, by="all", gold=labels).to_dict(orient="records")
    wrong = sum(int(one[1:]) % 4 == 3 for one in drawn)  # people's word counts at once
    assert (row["dataset"], row["n_gold"]) == ("ImageNet", 80)
    assert row["share"] == pytest.approx((100 - wrong) / 200)
    assert row["corrected_low"] < 0.25 < row["corrected_high"] < 0.45
