"""The reviewer's desk without a browser: what is served, and what becomes of what is sent."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, decision, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from annotate.review import Shown
from dashboard.panel import wire
from dashboard.panel.desk import Desk
from dashboard.panel.runs import runs
from data.corpus import Corpus
from data.records import Decision

TEXT = "We pre-train on ImageNet and test on BraTS. Bye."
SENTENCE = "We pre-train on ImageNet and test on BraTS."


def papers(path: Path, n: int = 3) -> Corpus:
    works = [work(f"W{i}", title=f"Paper {i}", abstract=TEXT, doi=f"10.1/{i}") for i in range(n)]
    uses = [
        made
        for i in range(n)
        for made in (
            use(f"W{i}", start=16, end=24, evidence=SENTENCE, score=0.6),
            use(f"W{i}", "BraTS", "target", start=37, end=42, evidence=SENTENCE, score=0.7),
        )
    ]
    return survey(path, works, uses)


def desk(corpus: Corpus, name: Shown = "uncertain", reviewer: str = "ann") -> Desk:
    return Desk(corpus, reviewer, name)


def press(item: dict[str, Any], verdict: str, uid: str, **fields: Any) -> dict[str, Any]:
    return {"uid": uid, "token": item["token"], "verdict": verdict, **fields}


def sent(*events: dict[str, Any], n: int = 1) -> dict[str, Any]:
    return {"sent": n, "events": list(events), "held": [], "lacks": []}


def decisions(corpus: Corpus) -> list[Decision]:
    with corpus.journal() as journal:
        return journal.decisions_since(0)[0]


def test_a_page_that_opens_gets_the_first_items_and_nothing_is_stored(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    answer = desk(corpus).serve(None, now=NOW)
    assert json.loads(json.dumps(answer))["order"] == [item["id"] for item in answer["items"]]
    assert (answer["done"], answer["total"], answer["saved"]) == (0, 6, [])
    assert decisions(corpus) == []


def test_a_press_is_stored_acknowledged_and_its_item_gone(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    seat = desk(corpus)
    first, second, *_ = seat.serve(None, now=NOW)["items"]
    answer = seat.serve(sent(press(first, "accept", "u1", shown_ms=4000), n=7), now=NOW)
    assert (answer["answered"], answer["saved"], answer["done"]) == (7, ["u1"], 1)
    assert answer["order"][0] == second["id"]
    assert answer["today"] == {"n": 1, "ms": 4000}
    assert [made["item"] for made in answer["past"]] == [first["id"]]
    again = seat.serve(sent(press(first, "accept", "u1"), n=8), now=NOW)
    assert (again["saved"], again["done"]) == (["u1"], 1)
    assert len(decisions(corpus)) == 1


def test_an_undone_item_comes_first_here_and_on_another_day(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    seat = desk(corpus)
    items = seat.serve(None, now=NOW)["items"]
    seat.serve(sent(press(items[0], "accept", "u1"), press(items[1], "skip", "u2")), now=NOW)
    undo = {"uid": "u3", "verdict": "undo", "undoes": "u1"}
    answer = seat.serve(sent(undo), now=NOW + timedelta(seconds=1))
    assert answer["order"][0] == items[0]["id"]
    assert (answer["done"], [made["uid"] for made in answer["past"]]) == (0, ["u2"])
    tomorrow = desk(corpus).serve(None, now=NOW + timedelta(days=1))
    assert tomorrow["order"][0] == items[0]["id"]
    assert items[1]["id"] not in tomorrow["order"]


def test_another_tab_of_the_reviewer_is_followed(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    one, other = desk(corpus), desk(corpus)
    first = one.serve(None, now=NOW)["items"][0]
    one.serve(sent(press(first, "reject", "u1")), now=NOW)
    answer = other.serve(sent(), now=NOW)
    assert first["id"] not in answer["order"]
    assert answer["done"] == 1
    other.serve(sent({"uid": "u2", "verdict": "undo", "undoes": "u1"}), now=NOW)
    assert one.serve(sent(), now=NOW)["order"][0] == first["id"]


def test_a_press_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    seat = desk(corpus)
    item = seat.serve(None, now=NOW)["items"][0]
    answer = seat.serve(
        sent(press(item, "shrug", "u1"), press(item | {"token": "x"}, "accept", "u2")), now=NOW
    )
    assert [each["uid"] for each in answer["refused"]] == ["u1", "u2"]
    assert "shrug" in answer["refused"][0]["reason"]
    assert decisions(corpus) == []


@pytest.mark.parametrize(
    "message", [5, "x", [], {"events": 3, "held": {}, "lacks": None}, {"events": [1, None]}]
)
def test_whatever_a_page_sends_it_is_answered(tmp_path: Path, message: object) -> None:
    answer = desk(papers(tmp_path)).serve(message, now=NOW)
    assert len(answer["order"]) == 6


def test_a_damaged_journal_saves_nothing_and_says_so(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    seat = desk(corpus)
    item = seat.serve(None, now=NOW)["items"][0]
    for log in tmp_path.glob("journal.db-*"):
        log.unlink()
    (tmp_path / "journal.db").write_bytes(b"no database" * 500)
    answer = seat.serve(sent(press(item, "accept", "u1")), now=NOW)
    assert answer["saved"] == []
    assert "cats status --recover" in answer["error"]


def test_an_answer_holds_some_items_and_the_others_follow(tmp_path: Path) -> None:
    seat = desk(papers(tmp_path, 60))
    answer = seat.serve(None, now=NOW)
    assert (len(answer["order"]), len(answer["items"])) == (80, 12)
    held = [item["id"] for item in answer["items"]]
    more = seat.serve({"sent": 1, "events": [], "held": held, "lacks": []}, now=NOW)["items"]
    assert [item["id"] for item in more] == answer["order"][12:52]


def test_a_long_text_goes_alone(tmp_path: Path) -> None:
    long = [work(f"W{n}", abstract="word " * 100_000) for n in range(3)]
    uses = [use(f"W{n}", start=0, end=4, score=0.6) for n in range(3)]
    answer = desk(survey(tmp_path, long, uses)).serve(None, now=NOW)
    assert (len(answer["order"]), len(answer["items"])) == (3, 1)


def test_an_item_shows_what_was_made_of_its_paper(tmp_path: Path) -> None:
    corpus = papers(tmp_path, 1)
    seat = desk(corpus)
    items = seat.serve(None, now=NOW)["items"]
    add = press(items[0], "add", "u1", dataset="CheXpert", role="source")
    seat.serve(sent(add, press(items[0], "reject", "u2")), now=NOW)
    (item,) = desk(corpus).serve(None, now=NOW)["items"]
    assert item["id"] == items[1]["id"]
    assert {(made["verdict"], made["dataset"]) for made in item["made"]} == {
        ("add", "CheXpert"),
        ("reject", items[0]["dataset"]),
    }
    assert {use["id"] for use in item["uses"]} == {items[0]["id"], items[1]["id"]}


def test_a_gold_paper_shows_no_proposal(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    with corpus.journal() as journal:
        journal.set_frame([("W1", "all", 0)], n=1, seed=0, now=NOW)
    answer = Desk(corpus, "ann", "gold", trend="ImageNet").serve(None, now=NOW)
    (item,) = answer["items"]
    assert (item["kind"], item["dataset"], item["how"], item["uses"]) == ("paper", None, "", [])
    assert all("own" not in css for _, css, _ in item["passages"][0]["text"])
    assert "ImageNet" not in str([run[1:] for run in item["passages"][0]["text"]])
    assert "more papers to read, to know the share of ImageNet as source" in answer["stop"]


def test_the_stop_line_says_how_many_papers_are_not_drawn(tmp_path: Path) -> None:
    corpus = papers(tmp_path, 50)
    with corpus.journal() as journal:
        frame = [(f"W{place}", "all", place) for place in range(50)]
        journal.set_frame(frame, n=10, seed=0, now=NOW)
    stop = Desk(corpus, "ann", "gold", trend="ImageNet").serve(None, now=NOW)["stop"]
    n_more, n_not_drawn = map(int, re.findall(r"\d+", stop)[:2])
    assert n_not_drawn == n_more - 10 > 0


def test_a_closed_gold_paper_can_be_looked_at_and_changed(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    with corpus.journal() as journal:
        journal.set_frame([("W1", "all", 0), ("W2", "all", 1)], n=2, seed=0, now=NOW)
    seat = desk(corpus, "gold")
    first = seat.serve(None, now=NOW)["items"][0]
    seat.serve(sent(press(first, "done", "d")), now=NOW)
    answer = desk(corpus, "gold").serve({"look": "W1||"}, now=NOW)
    assert (answer["order"], answer["absent"]) == (["W2||"], None)
    closed = answer["items"][0]
    assert (closed["id"], closed["uses"]) == ("W1||", [])
    assert [made["verdict"] for made in closed["made"]] == ["done"]
    add = press(closed, "add", "a", dataset="ImageNet", role="source")
    after = seat.serve(sent(add), now=NOW + timedelta(seconds=1))
    assert (after["done"], after["order"], after["refused"]) == (1, ["W2||"], [])


@pytest.mark.parametrize("name", ["gold", "uncertain"])
def test_a_paper_that_is_not_of_the_queue_is_not_looked_at(tmp_path: Path, name: Shown) -> None:
    corpus = papers(tmp_path)
    with corpus.journal() as journal:
        journal.set_frame([("W1", "all", 0)], n=1, seed=0, now=NOW)
    answer = desk(corpus, name).serve({"look": "W2||"}, now=NOW)
    assert answer["absent"] == "W2||"


def test_a_paper_is_its_claims_then_itself(tmp_path: Path) -> None:
    seat = desk(papers(tmp_path, 1), "paper")
    items = seat.serve(None, now=NOW)["items"]
    assert [item["kind"] for item in items] == ["claim", "claim", "paper"]
    answer = seat.serve(
        sent(*[press(item, "accept", str(n)) for n, item in enumerate(items[:2])]), now=NOW
    )
    assert (answer["refused"], answer["order"]) == ([], [items[2]["id"]])
    assert (answer["done"], answer["total"]) == (0, 1)
    done = seat.serve(sent(press(items[2], "done", "d")), now=NOW)
    assert (done["refused"], done["order"], done["done"]) == ([], [], 1)


def test_what_was_decided_in_another_queue_is_no_progress_of_this_one(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    uncertain, paper = desk(corpus), desk(corpus, "paper")
    item = uncertain.serve(None, now=NOW)["items"][0]
    uncertain.serve(sent(press(item, "accept", "u1")), now=NOW)
    answer = paper.serve(sent(), now=NOW)
    assert (answer["done"], answer["past"]) == (0, [])
    assert item["id"] not in answer["order"]
    other = next(one for one in answer["items"] if one["work"] == item["work"])
    assert [(made["uid"], made["elsewhere"]) for made in other["made"]] == [("u1", True)]


def disputed(path: Path) -> Corpus:
    """A gold paper closed by two: ann took the word Bye for COCO as source, bob as target."""
    corpus = survey(path, [work("W0", abstract=TEXT)])
    gold: dict[str, Any] = {"work_id": "W0", "queue": "gold", "blind": True}
    gold |= {"proposed_dataset": None, "proposed_role": None}
    place = {"section": "abstract", "order": 0, "start": 44, "end": 47}
    with corpus.journal() as journal:
        journal.set_frame([("W0", "all", 0)], n=1, seed=0, now=NOW)
        for who, role, note in (("ann", "source", "first"), ("bob", "target", None)):
            fields = {"dataset": "COCO", "role": role, "note": note, **gold, **place}
            journal.decide([decision(f"{who}1", "add", reviewer=who, **fields)])
            fields = {"note": "for tests" if who == "bob" else None, **gold}
            journal.decide([decision(f"{who}2", "done", reviewer=who, **fields)])
    return corpus


def test_an_adjudicator_sees_what_each_said_and_why(tmp_path: Path) -> None:
    items = desk(disputed(tmp_path), "adjudicate", "cyn").serve(None, now=NOW)["items"]
    by_role = {item["role"]: item["others"] for item in items}
    assert by_role["source"] == [
        {
            "who": "ann",
            "said": "it is COCO as source",
            "uses": [],
            "notes": [{"on": "", "text": "first"}],
        },
        {
            "who": "bob",
            "said": "closed the paper without it",
            "uses": [{"dataset": "COCO", "role": "target"}],
            "notes": [{"on": "", "text": "for tests"}],
        },
    ]
    ann = by_role["target"][0]
    assert ann["notes"] == [{"on": "COCO as source", "text": "first"}]


def test_the_words_that_people_selected_are_marked(tmp_path: Path) -> None:
    items = desk(disputed(tmp_path), "adjudicate", "cyn").serve(None, now=NOW)["items"]
    item = next(item for item in items if item["role"] == "source")
    (abstract,) = item["passages"]
    marks = {text: (css, title) for text, css, title in abstract["text"]}
    assert marks["Bye"] == ("mark own source evidence", "COCO: source, ann; COCO: target, bob")
    assert marks[f"{SENTENCE} "] == ("", "")
    assert item["evidence"] == "Bye."


def test_an_edit_settles_its_twin_and_the_counts_follow(tmp_path: Path) -> None:
    seat = desk(disputed(tmp_path), "adjudicate", "cyn")
    opened = seat.serve(None, now=NOW)
    assert (len(opened["order"]), opened["done"], opened["total"]) == (2, 0, 2)
    item = next(item for item in opened["items"] if item["role"] == "source")
    answer = seat.serve(sent(press(item, "edit", "u1", role="target")), now=NOW)
    assert (answer["order"], answer["done"], answer["total"]) == ([], 1, 1)
    again = seat.serve(sent({"uid": "u2", "verdict": "undo", "undoes": "u1"}), now=NOW)
    assert again["order"][0] == item["id"]
    assert (len(again["order"]), again["done"], again["total"]) == (2, 0, 2)


def test_a_dispute_that_somebody_else_settled_is_gone_with_the_next_answer(tmp_path: Path) -> None:
    corpus = disputed(tmp_path)
    cyn, dan = (desk(corpus, "adjudicate", who) for who in ("cyn", "dan"))
    first, second = cyn.serve(None, now=NOW)["items"]
    dan.serve(sent(press(first, "reject", "d1")), now=NOW)
    assert cyn.serve(sent(), now=NOW)["order"] == [second["id"]]


def test_weights_of_unnamed_data_are_asked_for_in_words_that_read(tmp_path: Path) -> None:
    uses = [use("W0", "natural images (unspecified)", score=0.6)]
    (item,) = desk(survey(tmp_path, [work("W0")], uses)).serve(None, now=NOW)["items"]
    asked = f"{item['ask'][0]} {item['dataset']} {item['ask'][1]} {item['role']}?"
    assert asked == (
        "Does this paper take ready-made weights whose training data are "
        "natural images (unspecified) and serve as source?"
    )


def test_an_undone_decision_brings_its_note_along(tmp_path: Path) -> None:
    corpus = papers(tmp_path)
    seat = desk(corpus)
    item = seat.serve(None, now=NOW)["items"][0]
    seat.serve(sent(press(item, "reject", "u1", note="why")), now=NOW)
    (made,) = desk(corpus).serve(None, now=NOW)["past"]
    assert (made["uid"], made["note"]) == ("u1", "why")


def test_the_catalogue_offers_datasets_by_all_their_names(tmp_path: Path) -> None:
    rows = {(row[0], row[3]): row for row in wire.catalogue(tmp_path)}
    assert "ILSVRC 2012" in rows["ImageNet", "ImageNet"][3:]
    assert rows["SA-1B", "SAM"][1:3] == ["training set of SAM", "source"]


# --- runs -------------------------------------------------------------------------------------


def span(start: int, end: int, *, own: bool = False, role: str = "source") -> dict[str, Any]:
    return {"start": start, "end": end, "own": own, "role": role, "dataset": "D", "who": ""}


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.booleans()), max_size=5),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_runs_are_the_text_whatever_is_marked(
    text: str, places: list[tuple[int, int, bool]], sentence: tuple[int, int]
) -> None:
    spans = [span(a, a + n, own=own) for a, n, own in places]
    cut = runs(text, spans, sentence=text[slice(*sentence)] or None)
    assert "".join(piece for piece, _, _ in cut) == text


def test_runs_mark_the_name_the_cue_and_the_sentence() -> None:
    cut = runs(TEXT, [span(16, 24, own=True), span(37, 42, role="target")], sentence=SENTENCE)
    marks = {piece: css for piece, css, _ in cut}
    assert marks["ImageNet"] == "mark own source evidence"
    assert marks["BraTS"] == "mark target evidence"
    assert marks["pre-train"] == "mark cue evidence"
    assert marks[" Bye."] == ""


def test_cues_are_marked_in_the_evidence_only() -> None:
    cut = runs("They pre-train. We fine-tune.", [], sentence="We fine-tune.")
    assert [piece for piece, css, _ in cut if "cue" in css] == ["fine-tune"]
