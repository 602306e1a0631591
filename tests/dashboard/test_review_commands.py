"""`cats review`, `export --decisions`, `import` and `status --recover` as a user runs them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, decision, survey, use, work
from typer.testing import CliRunner, Result

import cats
from data.corpus import Corpus
from data.errors import InputError, PartialError


def corpus_of(path: Path) -> Corpus:
    works = [work(f"W{k}", year=2020 + k % 2) for k in range(12)]
    return survey(path, works, [use(w.id, score=0.6) for w in works])


def run(corpus: Corpus, *arguments: str) -> Result:
    done = CliRunner().invoke(
        cats._command_line(), [*arguments, "-C", str(corpus.path)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done


def told(corpus: Corpus, *arguments: str) -> Any:
    return json.loads(run(corpus, *arguments, "--json").stdout)


def decided(corpus: Corpus) -> list[Any]:
    with corpus.journal() as journal:
        return journal.decisions()


def accepted(corpus: Corpus, *reviewers: str) -> None:
    made = [
        decision(f"{who}{k}", "accept", work_id=f"W{k}", reviewer=who, dataset="ImageNet",
                 role="source", queue="uncertain", shown_ms=2000)
        for who in reviewers
        for k in range(3)
    ]  # fmt: skip
    with corpus.journal() as journal:
        journal.decide(made)


def test_the_gold_sample_is_drawn_and_its_progress_told(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert told(corpus, "review", "--status")["needed"] is None
    assert "no gold sample is drawn yet" in run(corpus, "review", "--status").stderr
    drawn = told(corpus, "review", "--draw", "4", "--seed", "5")
    assert drawn == {"n": 4, "n_frame": 12, "n_strata": 1, "seed": 5}
    assert "6 gold papers of 12" in run(corpus, "review", "--draw", "6").stderr
    status = told(corpus, "review", "--status", "--reviewer", "ann", "--width", "30")
    assert (status["gold_drawn"], status["gold_read"]) == (6, 0)
    assert status["queues"]["gold"] == {"done": 0, "waiting": 6}
    assert "recheck" not in status["queues"]
    assert (status["needed"]["dataset"], status["needed"]["wanted"]) == ("ImageNet", 30)
    plain = run(corpus, "review", "--status", "--dataset", "BraTS", "--role", "target")
    assert "BraTS as target, all years: not known yet" in plain.stderr
    assert "read by two people" in plain.stdout


def test_agreement_is_printed_and_given_as_json(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    accepted(corpus, "ann", "bob")
    found = told(corpus, "review", "--agreement")
    assert found["agreement"][0]["n_same"] == 3
    assert {pace["median_s"] for pace in found["pace"]} == {2.0}
    plain = run(corpus, "review", "--agreement").stdout
    assert "Krippendorff's alpha" in plain
    assert "100.0" in plain


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--text"], "who reviews"),
        (["--reviewer", "ann", "--queue", "silver", "--text"], "is not one of gold"),
        (["--reviewer", "ann", "--queue", "silver"], "is not one of gold"),
        (["--status", "--role", "sauce"], "is not one of source"),
        (["--draw", "99"], "12 annotated ones"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, options: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        run(corpus_of(tmp_path), "review", *options)


def test_decisions_travel_between_copies(tmp_path: Path) -> None:
    corpus, other = corpus_of(tmp_path / "a"), corpus_of(tmp_path / "b")
    accepted(corpus, "ann")
    file = tmp_path / "d.jsonl"
    assert "wrote 3 decisions" in run(corpus, "export", "--decisions", str(file)).stderr
    assert "3 decisions are new, 0 were" in run(other, "import", str(file)).stderr
    assert "0 decisions are new, 3 were" in run(other, "import", str(file)).stderr
    assert decided(other) == decided(corpus)
    lost = run(corpus, "export", "--decisions", str(tmp_path / "x"), "--format", "doccano")
    assert "wrote 3 decisions" in lost.stderr


def test_rows_that_cannot_be_used_are_listed_and_the_code_is_four(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "a")
    file = tmp_path / "d.csv"
    file.write_text("doc_id,doc_name,label1,label2,value\n0,W1,COCO,target,True\n1,W99,COCO,x,1\n")
    with pytest.raises(PartialError) as fault:
        run(corpus, "import", str(file), "--reviewer", "ann")
    assert fault.value.exit_code == 4
    assert fault.value.path == corpus.path / "rejects" / "d.csv.rejects.jsonl"
    (line,) = fault.value.path.read_text().splitlines()
    assert json.loads(line)["where"] == "line 3"
    assert [(d.verdict, d.reviewer, d.dataset) for d in decided(corpus)] == [("add", "ann", "COCO")]


def test_a_damaged_journal_is_made_anew(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    accepted(corpus, "ann")
    journal = corpus.path / "journal.db"
    journal.write_bytes(b"\0" * 4096 + journal.read_bytes()[4096:])
    with pytest.raises(InputError, match="cats status --recover"):
        run(corpus, "status")
    done = run(corpus, "status", "--recover", "--json")
    assert "3 decisions from the bytes alone" in done.stderr
    assert json.loads(done.stdout)["decisions"] == 3
    assert len(list(corpus.path.glob("journal.damaged-*.db"))) == 1


def test_too_little_to_learn_from_is_told(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    accepted(corpus, "ann")
    with pytest.raises(InputError, match="3 papers have decisions to learn from"):
        run(corpus, "annotate", "--learn")
    with pytest.raises(InputError, match="no weights"):
        run(corpus, "annotate", "--use", "learned")


def test_decisions_count_in_every_number_at_once(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)

    def share() -> tuple[int, int]:
        rows = told(corpus, "trends", "--dataset", "ImageNet", "--by", "country")
        return sum(row["n"] for row in rows), sum(row["n_papers"] for row in rows)

    def say(verdict: str, uid: str, work: str, who: str, **fields: Any) -> None:
        made = decision(uid, verdict, work_id=work, reviewer=who, **fields)
        with corpus.journal() as journal:
            journal.decide([made])

    right = {"dataset": "ImageNet", "role": "source"}
    assert share() == (12, 12)
    say("reject", "a", "W1", "ann")
    assert share() == (11, 12)
    say("accept", "b", "W1", "bob", **right)
    assert share() == (12, 12)  # one each: the annotator stands
    say("reject", "c", "W1", "eve", queue="adjudicate")
    assert share() == (11, 12)
    say("undo", "d", "W1", "eve", undoes="c", at=NOW + timedelta(1))
    say("undo", "e", "W1", "bob", undoes="b", at=NOW + timedelta(1))
    assert share() == (11, 12)  # ann alone again
    say("edit", "f", "W2", "ann", dataset="COCO", role="source")
    assert share() == (10, 12)
    nothing = {"proposed_dataset": None, "proposed_role": None}
    say("add", "g", "W2", "bob", **nothing, **right)
    assert share() == (11, 12)  # ann and bob differ on W2: the annotator stands
