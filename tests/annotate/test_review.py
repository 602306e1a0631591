from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, candidate, decision, survey, use, work

from annotate.review import (
    CODEBOOK,
    Item,
    decide,
    decision_of,
    item_of,
    progress,
    queue,
    record,
    undo,
)
from data.catalogue import load, own_tables
from data.claims import claims
from data.corpus import Corpus
from data.errors import InputError
from data.records import Candidate, Claim, Decision, from_table

PROPOSAL = Item("uncertain", "W1", "ImageNet", "source", 0.9, "test@1")
PAPER = Item("gold", "W1", blind=True, stratum="s", weight=2.0)


def corpus_of(path: Path) -> Corpus:
    uses = [
        use("W1"),
        use("W1", "BraTS", "target", score=0.55),
        use("W2", "LiTS", "target", score=0.7),
    ]
    return survey(path, [work("W1"), work("W2")], uses)


def shown(corpus: Corpus, name: str = "uncertain", reviewer: str = "ann", **options: Any) -> Any:
    options = {"overlap": 0.0} | options if name == "uncertain" else options
    with corpus.connect() as db:
        return queue(db, name=name, reviewer=reviewer, **options)  # type: ignore[arg-type]


def keys(corpus: Corpus, name: str = "uncertain", reviewer: str = "ann", **options: Any) -> Any:
    return [item.key for item in shown(corpus, name, reviewer, **options)]


def said(corpus: Corpus, *decisions: Decision) -> None:
    with corpus.journal() as journal:
        journal.decide(decisions)


def press(item: Item | None, verdict: str, uid: str, **fields: Any) -> dict[str, Any]:
    return {"uid": uid, "verdict": verdict, "token": item.token if item else None} | fields


def sent(corpus: Corpus, *presses: dict[str, Any], reviewer: str = "ann", after: int = 0) -> Any:
    return record(corpus, presses, reviewer=reviewer, now=NOW + timedelta(seconds=after))


def states(corpus: Corpus) -> dict[tuple[str, str, str], str]:
    with corpus.connect() as db:
        uses = db.sql("SELECT * FROM uses").to_arrow_table()
        decided = db.sql("SELECT * FROM decisions").to_arrow_table()
    found = from_table(Claim, claims(uses, decided))
    return {(each.work_id, each.dataset, each.role): each.state for each in found}


def drawn(corpus: Corpus, *works: str) -> None:
    with corpus.journal() as journal:
        frame = [(work, "all", place) for place, work in enumerate(works)]
        journal.set_frame(frame, n=len(works), seed=1, now=NOW)


# --- uncertain --------------------------------------------------------------------------------


def test_claims_wait_until_somebody_decides_the_unsure_first(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    first = ["W1|BraTS|target", "W1|ImageNet|source", "W2|LiTS|target"]
    assert keys(corpus) == first == keys(corpus)
    said(corpus, decide(PROPOSAL, "accept", uid="a", reviewer="bob", now=NOW))
    assert keys(corpus) == [first[0], first[2]]
    with corpus.connect() as db:
        assert progress(db, name="uncertain", reviewer="bob", overlap=0.0).done == 1
        assert progress(db, name="uncertain", reviewer="ann", overlap=0.0).total == 2


def test_a_claim_of_the_overlap_waits_for_a_second_person_unseen(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    said(corpus, decide(PROPOSAL, "reject", uid="a", reviewer="bob", now=NOW))
    again = {item.key: item for item in shown(corpus, overlap=1.0)}["W1|ImageNet|source"]
    assert (again.score, again.own, again.others) == (0.9, (), ())
    said(corpus, decide(again, "accept", uid="b", reviewer="ann", now=NOW))
    assert "W1|ImageNet|source" not in keys(corpus, reviewer="cy", overlap=1.0)


def test_two_people_are_not_sent_to_the_same_claims(tmp_path: Path) -> None:
    works = [work(f"W{n}") for n in range(60)]
    corpus = survey(tmp_path, works, [use(w.id, score=0.6) for w in works])
    said(corpus, *[decision(f"x{name}", "note", reviewer=name) for name in ("ann", "bob")])
    ann, bob = (keys(corpus, reviewer=name, limit=20) for name in ("ann", "bob"))
    assert len(ann) == len(bob) == 20
    assert not set(ann) & set(bob)


def test_a_skip_hides_the_claim_from_this_reviewer_only(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    said(corpus, decide(PROPOSAL, "skip", uid="a", reviewer="ann", now=NOW))
    assert "W1|ImageNet|source" not in keys(corpus)
    assert len(keys(corpus, reviewer="bob")) == 3


def test_what_was_taken_back_comes_first(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    last = shown(corpus)[-1]
    sent(corpus, press(last, "reject", "a"))
    assert last.key not in keys(corpus)
    sent(corpus, press(None, "undo", "b"), after=1)
    assert keys(corpus)[0] == last.key


def test_a_note_leaves_the_claim_where_it_is(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    before = keys(corpus)
    sent(corpus, press(shown(corpus)[0], "note", "a", note="odd"))
    assert keys(corpus) == before
    assert [d.note for d in shown(corpus)[0].own] == ["odd"]


def test_one_in_twenty_comes_again_without_a_sign(tmp_path: Path) -> None:
    works = [work(f"W{n}") for n in range(1400)]
    corpus = survey(tmp_path, works, [use(w.id, score=0.6) for w in works])
    made = [
        decide(
            Item("uncertain", f"W{n}", "ImageNet", "source", 0.6, "test@1"),
            "accept",
            uid=f"u{n}",
            reviewer="ann",
            now=NOW + timedelta(seconds=n),
        )
        for n in range(1000)
    ]
    said(corpus, *made)
    items = shown(corpus, limit=40)
    repeats = [item for item in items if item_of(item.token).is_repeat]
    assert len(items) == 40
    assert 1 <= len(repeats) <= 3
    assert all((item.queue, item.own[0].verdict) == ("uncertain", "accept") for item in repeats)
    assert repr(repeats[0]).count("repeat") == 0
    assert 20 <= len(shown(corpus, "recheck", limit=1000)) <= 90  # 5% of 970, by hash
    sent(corpus, press(repeats[0], "reject", "again"), after=5000)
    with corpus.journal() as journal:
        assert journal.decisions()[-1].queue == "recheck"
    assert repeats[0].key not in keys(corpus, "recheck", limit=1000)
    assert states(corpus)[repeats[0].work_id, "ImageNet", "source"] == "accepted"


# --- gold -------------------------------------------------------------------------------------


def test_a_gold_paper_is_blind_and_waits_for_two(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    drawn(corpus, "W1")
    (item,) = shown(corpus, "gold")
    assert (item.dataset, item.score, item.uses, item.claims) == (None, None, (), ())
    assert (item.blind, item.stratum, item.weight) == (True, "all", 1.0)
    assert keys(corpus) == ["W2|LiTS|target"]  # nobody sees a proposal on W1 before
    words = {"section": "abstract", "order": 0, "start": 0, "end": 8}
    add = press(item, "add", "a", dataset="ImageNet", role="source", **words)
    sent(corpus, add)
    assert [own.dataset for own in shown(corpus, "gold")[0].own] == ["ImageNet"]
    sent(corpus, press(item, "done", "b"), after=1)
    assert keys(corpus, "gold") == []
    assert len(keys(corpus, "gold", "bob")) == 1
    sent(corpus, press(item, "done", "c"), reviewer="bob", after=2)
    assert keys(corpus, "gold", "cy") == []
    with corpus.journal() as journal:
        (first, *_) = journal.decisions()
    assert (first.queue, first.blind, first.start, first.end) == ("gold", True, 0, 8)


def test_a_gold_paper_is_shown_by_its_id_to_who_has_read_it_or_may(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    drawn(corpus, "W1")
    (paper,) = shown(corpus, "gold", "ann")
    for reviewer in ("ann", "bob"):
        sent(corpus, press(paper, "done", reviewer), reviewer=reviewer)
    assert keys(corpus, "gold", "ann") == []
    (again,) = shown(corpus, "gold", "ann", work_id="W1")
    assert (again.blind, again.is_closed, again.weight) == (True, True, paper.weight)
    assert keys(corpus, "gold", "cyn", work_id="W1") == []
    assert keys(corpus, "gold", "ann", work_id="W2") == []  # not of the sample


def test_what_a_gold_reader_does_not_add_he_denies(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    drawn(corpus, "W1")
    sent(
        corpus,
        press(PAPER, "add", "a", dataset="ImageNet", role="source"),
        press(PAPER, "add", "b", dataset="COCO", role="target"),
        press(PAPER, "done", "c"),
    )
    assert states(corpus) == {
        ("W1", "ImageNet", "source"): "accepted",
        ("W1", "COCO", "target"): "added",
        ("W1", "BraTS", "target"): "rejected",
        ("W2", "LiTS", "target"): "machine",
    }
    sent(corpus, press(PAPER, "done", "d"), reviewer="bob", after=1)
    assert states(corpus)["W1", "COCO", "target"] == "disputed"
    disputes = shown(corpus, "adjudicate", "eve")
    assert {item.key for item in disputes} == {"W1|COCO|target", "W1|ImageNet|source"}
    words = [[one.decision.verdict for one in item.others] for item in disputes]
    assert words == [["add", "done"]] * 2
    (coco,) = (item for item in disputes if item.dataset == "COCO")
    sent(corpus, press(coco, "reject", "e"), reviewer="eve", after=2)
    assert states(corpus)["W1", "COCO", "target"] == "rejected"
    assert len(shown(corpus, "adjudicate", "eve")) == 1


# --- adjudicate -------------------------------------------------------------------------------


def disputed(path: Path) -> Corpus:
    """Gold paper W1, closed by two: ann took COCO for a source, bob for a target."""
    corpus = corpus_of(path)
    drawn(corpus, "W1")
    sent(
        corpus,
        press(PAPER, "add", "a1", dataset="COCO", role="source", note="trained on it first"),
        press(PAPER, "add", "a2", dataset="LiTS", role="target"),
        press(PAPER, "done", "a3", note="section 3 tells"),
    )
    sent(
        corpus,
        press(PAPER, "add", "b1", dataset="COCO", role="target", note="taken back"),
        press(None, "undo", "b2", undoes="b1"),
        press(PAPER, "add", "b3", dataset="COCO", role="target"),
        press(PAPER, "done", "b4", note="only tested"),
        reviewer="bob",
        after=1,
    )
    return corpus


def test_an_adjudicator_gets_all_notes_and_what_each_says_instead(tmp_path: Path) -> None:
    corpus = disputed(tmp_path)
    by_key = {item.key: item for item in shown(corpus, "adjudicate", "eve")}
    assert set(by_key) == {"W1|COCO|source", "W1|COCO|target", "W1|LiTS|target"}
    ann, bob = by_key["W1|COCO|source"].others
    assert (ann.decision.uid, bob.decision.uid) == ("a1", "b4")
    assert [d.note for d in ann.noted] == ["trained on it first", "section 3 tells"]
    assert [d.note for d in bob.noted] == ["only tested"]
    assert [(d.dataset, d.role) for d in ann.also] == [("LiTS", "target")]
    assert [(d.dataset, d.role) for d in bob.also] == [("COCO", "target")]


def test_a_skipped_dispute_goes_to_somebody_else_with_the_reason(tmp_path: Path) -> None:
    corpus = disputed(tmp_path)
    first, *others = shown(corpus, "adjudicate", "eve")
    sent(corpus, press(first, "skip", "e1", note="cannot tell"), reviewer="eve", after=2)
    assert keys(corpus, "adjudicate", "eve") == [item.key for item in others]
    *_, eve = shown(corpus, "adjudicate", "zoe")[0].others
    assert (eve.decision.verdict, eve.decision.note) == ("skip", "cannot tell")
    sent(corpus, press(others[0], "skip", "e2"), reviewer="eve", after=3)
    sent(corpus, press(None, "undo", "e3", undoes="e2"), reviewer="eve", after=4)
    assert keys(corpus, "adjudicate", "eve")[0] == others[0].key


def test_who_took_part_in_a_dispute_does_not_settle_it(tmp_path: Path) -> None:
    corpus = disputed(tmp_path)
    assert keys(corpus, "adjudicate", "ann") == keys(corpus, "adjudicate", "bob") == []
    with corpus.connect() as db:
        waiting = [
            progress(db, name="adjudicate", reviewer=who).waiting for who in ("ann", "eve", "")
        ]
    assert waiting == [0, 3, 3]


# --- disagree, paper, new-name ----------------------------------------------------------------


def test_who_contradicts_the_annotator_or_another_calls_for_a_third(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert keys(corpus, "disagree") == []
    said(corpus, decide(PROPOSAL, "accept", uid="a", reviewer="ann", now=NOW))
    assert keys(corpus, "disagree", "bob") == []  # as the annotator says
    said(corpus, decide(PROPOSAL, "reject", uid="b", reviewer="bob", now=NOW))
    assert keys(corpus, "disagree", "ann") == []
    assert keys(corpus, "disagree", "cy") == ["W1|ImageNet|source"]
    said(corpus, decide(PROPOSAL, "reject", uid="c", reviewer="cy", now=NOW))
    assert states(corpus)["W1", "ImageNet", "source"] == "rejected"
    assert keys(corpus, "disagree", "dee") == []
    sent(corpus, press(Item("paper", "W2"), "add", "d", dataset="COCO", role="target"))
    assert keys(corpus, "disagree", "bob") == ["W2|COCO|target"]


def test_a_paper_has_everything_in_it(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    (item, _) = shown(corpus, "paper")
    assert (item.key, len(item.uses)) == ("W1||", 2)
    claim_keys = [claim.key for claim in item.claims]
    assert claim_keys == ["W1|ImageNet|source", "W1|BraTS|target"]
    sent(corpus, *[press(claim, "accept", claim.key) for claim in item.claims])
    assert [d.verdict for d in shown(corpus, "paper")[0].own] == ["accept", "accept"]
    sent(corpus, press(item, "done", "z"), after=1)
    assert keys(corpus, "paper") == ["W2||"]
    assert keys(corpus, "paper", work_id="W1") == ["W1||"]
    assert keys(corpus, "paper", "bob") == ["W1||", "W2||"]
    assert states(corpus)["W1", "BraTS", "target"] == "accepted"


def test_an_accepted_name_is_a_dataset_of_the_survey_until_it_is_undone(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    names = [candidate("W1", "FooBar"), candidate("W2", "Foo-Bar"), candidate("W2", "BazQux")]
    corpus.append(Candidate, names, name="r1")
    first, second = shown(corpus, "new-name")
    assert (first.dataset, first.n_papers, first.queue) == ("Foo-Bar", 2, "new-name")
    assert first.name is not None
    assert first.name.evidence
    edit = press(first, "edit", "a", dataset="FooBar Set")
    assert sent(corpus, edit, press(second, "reject", "b")).refused == {}
    known = load(extra=own_tables(corpus.path))
    assert known.resolve("foobar") == known.resolve("FooBar Set") == "FooBar Set"
    assert keys(corpus, "new-name", "bob") == []
    sent(corpus, press(None, "undo", "c", undoes="a"), after=1)
    assert load(extra=own_tables(corpus.path)).resolve("FooBar Set") is None
    assert keys(corpus, "new-name", "bob") == [first.key]


def test_a_name_that_clashes_is_refused_with_the_reason(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    item = Item("new-name", "W1", "FooBar", "target")
    # "FooBar" belongs to a dataset by then, so it cannot be another name of a second one.
    done = sent(corpus, press(item, "accept", "b"), press(item, "edit", "a", dataset="Quux"))
    assert (done.kept, list(done.refused)) == (["b"], ["a"])
    assert "FooBar" in done.refused["a"]


# --- events -----------------------------------------------------------------------------------


def test_a_decision_keeps_what_was_on_the_screen() -> None:
    made = decide(PROPOSAL, "accept", uid="a", reviewer="ann", now=NOW, shown_ms=1200, note="")
    assert (made.dataset, made.role, made.score) == ("ImageNet", "source", 0.9)
    assert (made.codebook, made.shown_ms, made.note) == (CODEBOOK, 1200, None)
    edited = decide(PROPOSAL, "edit", uid="b", reviewer="ann", now=NOW, role="mention")
    assert (edited.proposed_role, edited.dataset, edited.role) == ("source", "ImageNet", "mention")


def test_a_token_brings_back_what_a_decision_needs() -> None:
    for item in (PROPOSAL, PAPER):
        assert item_of(item.token) == item
        assert item_of(item.token).key == item.key


def bad_presses() -> Iterator[tuple[dict[str, Any], str]]:
    yield press(None, "accept", "a"), "no token"
    yield press(PROPOSAL, "accept", "a") | {"token": "?"}, "no item's token"
    yield press(PROPOSAL, "aceept", "a"), "not one of accept"
    yield press(PAPER, "accept", "a"), "whole paper"
    yield press(PROPOSAL, "done", "a"), "for a whole paper"
    yield press(PROPOSAL, "edit", "a"), "changes nothing"
    yield press(PROPOSAL, "edit", "a", role="sourse"), "not one of source"
    yield press(PAPER, "add", "a", dataset="COCO"), "needs a dataset and a role"
    words = {"section": "abstract", "order": 0, "start": 5, "end": 5}
    yield press(PAPER, "add", "a", dataset="COCO", role="source", **words), "start before end"
    yield press(PROPOSAL, "note", "a", note=3), "expected text"
    yield press(PROPOSAL, "skip", "a", shown_ms=-1), "expected a number"


@pytest.mark.parametrize(("bad", "why"), list(bad_presses()))
def test_a_press_that_makes_no_sense_is_refused(bad: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        decision_of(bad, reviewer="ann", now=NOW)


def test_a_refused_press_does_not_hold_up_the_others(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    done = sent(corpus, press(PAPER, "accept", "a"), press(PROPOSAL, "accept", "b"), {"uid": ""})
    assert (done.kept, sorted(done.refused)) == (["b"], ["", "a"])


def test_a_press_sent_twice_counts_once(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    both = [press(PROPOSAL, "accept", "a"), press(PROPOSAL, "accept", "a")]
    assert set(sent(corpus, *both).kept) == {"a"}
    assert sent(corpus, press(PROPOSAL, "reject", "a")).kept == ["a"]
    with corpus.journal() as journal:
        assert [d.verdict for d in journal.decisions()] == ["accept"]


def test_the_same_use_is_not_added_twice_at_the_same_words(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    drawn(corpus, "W1")
    (paper,) = shown(corpus, "gold")
    place = {"section": "abstract", "order": 0, "start": 3, "end": 8}
    use_ = {"dataset": "BraTS", "role": "source", **place}
    at_once = sent(corpus, press(paper, "add", "a", **use_), press(paper, "add", "b", **use_))
    assert (at_once.kept, list(at_once.refused)) == (["a"], ["b"])
    assert "BraTS as source is added already" in at_once.refused["b"]
    assert sent(corpus, press(paper, "add", "c", **use_)).kept == []
    assert sent(corpus, press(paper, "add", "a", **use_)).kept == ["a"]  # one press sent again
    other = [{"role": "target"}, {"start": 4}, {"dataset": "LiTS"}]
    presses = [press(paper, "add", f"o{n}", **use_ | one) for n, one in enumerate(other)]
    assert len(sent(corpus, *presses).kept) == 3
    assert sent(corpus, press(paper, "add", "bob", **use_), reviewer="bob").kept == ["bob"]
    undo_ = press(None, "undo", "u", undoes="a")
    assert sent(corpus, undo_, press(paper, "add", "d", **use_), after=1).kept == ["u", "d"]


def test_undo_takes_ones_own_events_back_one_by_one(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    first, second, third = shown(corpus)
    sent(corpus, press(first, "accept", "a"), press(second, "reject", "b"))
    sent(corpus, press(third, "accept", "c"), reviewer="bob", after=1)
    done = sent(
        corpus,
        press(None, "undo", "d"),
        press(first, "skip", "e"),
        *(press(None, "undo", uid) for uid in ("f", "g", "h")),
        after=2,
    )
    assert "nothing to take back" in done.refused["h"]
    with corpus.journal() as journal:
        undone = [d.undoes for d in journal.decisions() if d.verdict == "undo"]
    assert undone == ["b", "e", "a"]
    for wanted, why in (("c", "oneself"), ("a", "already"), ("?", "nothing")):
        assert why in sent(corpus, press(None, "undo", "i", undoes=wanted), after=3).refused["i"]


def test_an_undo_says_what_it_takes_back() -> None:
    taken = decision("a", "accept", queue="uncertain")
    made = undo(taken, uid="b", now=NOW)
    assert (made.verdict, made.undoes, made.reviewer, made.queue) == (
        "undo",
        "a",
        "ann",
        "uncertain",
    )


def test_a_quote_in_a_name_does_no_harm(tmp_path: Path) -> None:
    assert len(keys(corpus_of(tmp_path), reviewer="O'Hara")) == 3


@pytest.mark.parametrize(
    "name", ["gold", "uncertain", "disagree", "new-name", "recheck", "paper", "adjudicate"]
)
def test_an_empty_survey_has_empty_queues(tmp_path: Path, name: str) -> None:
    corpus = survey(tmp_path)
    assert shown(corpus, name) == []
    with corpus.connect() as db:
        assert progress(db, name=name, reviewer="ann").total == 0  # type: ignore[arg-type]


def test_the_codebook_is_the_one_that_ships() -> None:
    import annotate

    text = (Path(annotate.__path__[0]) / "codebook.md").read_text(encoding="utf-8")
    assert f"Codebook {CODEBOOK}" in text
