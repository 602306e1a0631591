from pathlib import Path

from builders import NOW, candidate, survey, work
from hypothesis import given
from hypothesis import strategies as st

from data.catalogue import add, load, own_table, own_tables
from data.records import Candidate
from data.unknown import survey_unknown_names, unknown_names

KNOWN = load()


def test_spellings_of_one_name_are_one() -> None:
    rows = [
        (candidate("W1", "Foo-Bar"), 2021),
        (candidate("W2", "FooBar"), 2019),
        (candidate("W3", "FooBar"), None),
        (candidate("W3", "FooBar", "source"), None),
    ]
    (name,) = unknown_names(rows, KNOWN)
    assert (name.name, name.papers, name.role) == ("FooBar", 3, "target")
    assert (name.first_year, name.spellings) == (2019, ("Foo-Bar",))


def test_the_surest_candidate_is_the_evidence() -> None:
    sure = candidate("W2", score=0.9, evidence="Surely.", why="test set")
    (name,) = unknown_names([(candidate(), 2020), (sure, 2020)], KNOWN)
    assert (name.score, name.evidence, name.work_id, name.why) == (
        0.9,
        "Surely.",
        "W2",
        "test set",
    )


def test_names_of_many_papers_come_first() -> None:
    rows = [(candidate("W1", "Aaa"), 1), (candidate("W1", "Bbb"), 1), (candidate("W2", "Bbb"), 1)]
    assert [name.name for name in unknown_names(rows, KNOWN)] == ["Bbb", "Aaa"]


def test_what_the_catalogue_knows_by_now_is_gone(tmp_path: Path) -> None:
    rows = [(candidate("W1", "FooBar"), 2020)]
    cells = {"id": "Hands", "name": "Hands", "aliases": "foo bar"}
    add(own_table(tmp_path), cells | {"domain": "radiology", "modality": "ct"})
    assert unknown_names(rows, load(extra=own_tables(tmp_path))) == []


@given(
    st.lists(
        st.builds(
            candidate,
            st.sampled_from(["W1", "W2"]),
            st.sampled_from(["FooBar", "foo bar", "Baz"]),
            st.sampled_from(["source", "target", "mention"]),
            score=st.sampled_from([0.1, 0.5]),
            start=st.integers(0, 3),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_candidates_says_nothing(candidates: list[Candidate], rng: object) -> None:
    rows = [(each, 2020) for each in candidates]
    first = unknown_names(rows, KNOWN)
    rng.shuffle(rows)  # type: ignore[attr-defined]
    again = unknown_names(rows, KNOWN)
    assert [(n.name, n.papers, n.role, n.score) for n in again] == [
        (n.name, n.papers, n.role, n.score) for n in first
    ]
    assert sum(n.papers for n in first) >= len({c.work_id for c in candidates})


def test_a_survey_counts_included_papers_by_their_latest_run(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2"), work("W3", year=2015)])
    corpus.append(Candidate, [candidate(f"W{n}") for n in (1, 2, 3)], name="r1")
    corpus.append(Candidate, [candidate("W2", "Other", run="r2")], name="r2")
    with corpus.journal() as journal:
        journal.screen("protocol", [("W3", False, "retracted")], now=NOW)
        journal.annotated_done("r2", "test@2", [("W2", "hash", False)], now=NOW)
    with corpus.connect() as db:
        found = survey_unknown_names(db, KNOWN)
    assert {(name.name, name.papers, name.first_year) for name in found} == {
        ("FooBar", 1, 2020),
        ("Other", 1, 2020),
    }
