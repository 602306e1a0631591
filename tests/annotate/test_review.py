from datetime import timedelta
from pathlib import Path

from builders import NOW, decision, survey, use, work

from annotate.review import CODEBOOK, Proposal, decide, n_waiting, undo, waiting
from data.corpus import Corpus
from data.records import Decision

PROPOSAL = Proposal("W1", "ImageNet", "source", 0.9, "test@1")


def corpus_of(path: Path) -> Corpus:
    uses = [
        use("W1"),
        use("W1", "BraTS", "target", score=0.55),
        use("W2", "LiTS", "target", score=0.7),
    ]
    return survey(path, [work("W1"), work("W2")], uses)


def queue(corpus: Corpus, **options: str) -> list[tuple[str, str]]:
    with corpus.connect() as db:
        found = waiting(db, reviewer="ann", **options)  # type: ignore[arg-type]
    return [(proposal.work_id, proposal.dataset) for proposal in found]


def said(corpus: Corpus, *decisions: Decision) -> None:
    with corpus.journal() as journal:
        journal.decide(decisions)


def test_claims_wait_until_somebody_decides(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert len(queue(corpus)) == 3
    said(corpus, decide(PROPOSAL, "accept", uid="a", reviewer="bob", now=NOW))
    assert ("W1", "ImageNet") not in queue(corpus)
    with corpus.connect() as db:
        assert n_waiting(db) == (2, 1)


def test_the_order_is_the_same_every_day_or_by_doubt(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert queue(corpus) == queue(corpus)
    assert queue(corpus, order="uncertain") == [("W1", "BraTS"), ("W2", "LiTS"), ("W1", "ImageNet")]


def test_a_skip_hides_the_claim_from_this_reviewer_only(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    said(corpus, decide(PROPOSAL, "skip", uid="a", reviewer="ann", now=NOW))
    assert ("W1", "ImageNet") not in queue(corpus)
    with corpus.connect() as db:
        assert len(waiting(db, reviewer="bob")) == 3


def test_an_undone_decision_waits_again(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    said(corpus, decide(PROPOSAL, "reject", uid="a", reviewer="ann", now=NOW))
    with corpus.journal() as journal:
        taken = undo(journal.decisions(), uid="b", reviewer="ann", now=NOW + timedelta(minutes=1))
    assert taken is not None
    assert taken.undoes == "a"
    said(corpus, taken)
    assert len(queue(corpus)) == 3


def test_undo_takes_ones_own_decisions_one_by_one() -> None:
    first = decision("a", "accept")
    second = decision("b", "reject", at=NOW + timedelta(seconds=1))
    other = decision("c", "accept", reviewer="bob", at=NOW + timedelta(seconds=2))
    one = undo([first, second, other], uid="d", reviewer="ann", now=NOW)
    assert one is not None
    assert one.undoes == "b"
    two = undo([first, second, other, one], uid="e", reviewer="ann", now=NOW)
    assert two is not None
    assert two.undoes == "a"
    assert undo([first, second, other, one, two], uid="f", reviewer="ann", now=NOW) is None


def test_a_decision_keeps_what_was_on_the_screen() -> None:
    made = decide(PROPOSAL, "accept", uid="a", reviewer="ann", now=NOW, shown_ms=1200, note="")
    assert (made.dataset, made.role, made.score) == ("ImageNet", "source", 0.9)
    assert (made.codebook, made.shown_ms, made.note) == (CODEBOOK, 1200, None)
    edited = decide(
        PROPOSAL, "edit", uid="b", reviewer="ann", now=NOW, dataset="COCO", role="mention"
    )
    assert (edited.proposed_dataset, edited.dataset, edited.role) == ("ImageNet", "COCO", "mention")


def test_a_quote_in_a_name_does_no_harm(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    with corpus.connect() as db:
        assert len(waiting(db, reviewer="O'Hara")) == 3


def test_the_codebook_is_the_one_that_ships() -> None:
    import annotate

    text = (Path(annotate.__path__[0]) / "codebook.md").read_text(encoding="utf-8")
    assert f"Codebook {CODEBOOK}" in text
