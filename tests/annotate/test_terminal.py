"""The queues in a real terminal and in a pipe: same items, same events, nothing lost by a kill."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import NOW, candidate, survey, use, work

from annotate.review import Item, record
from annotate.sampling import draw
from annotate.terminal import plain
from data.corpus import Corpus
from data.records import Candidate, Decision

_PAUSE = 60  # s that a busy machine may take for what takes a second
TEXT = "We pre-train on ImageNet and test on BraTS."


def corpus_of(path: Path, n: int = 30) -> Corpus:
    works = [work(f"W{k:02d}", title=f"Paper {k:02d}", abstract=TEXT) for k in range(n)]
    uses = [use(w.id, start=16, end=24, evidence=TEXT, score=0.6) for w in works]
    return survey(path, works, uses)


def decisions(corpus: Corpus) -> list[Decision]:
    with corpus.journal() as journal:
        return journal.decisions()


def command(corpus: Corpus, *options: str) -> list[str]:
    start = [sys.executable, "-m", "cats", "review", "--text", "--reviewer", "ann"]
    return [*start, "-C", str(corpus.path), *options]


def piped(corpus: Corpus, keys: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(corpus, *options), input=keys, capture_output=True, text=True, check=False
    )


class Terminal:
    """A program at a pseudo-terminal, as ssh gives one."""

    def __init__(self, arguments: list[str], *, term: str = "xterm") -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the child
            os.environ["TERM"] = term
            os.execv(arguments[0], arguments)
        self.raw = ""
        self._start = 0  # of what was not waited for yet, in what one reads

    @property
    def text(self) -> str:
        """What a person reads: without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.raw)

    def wait_for(self, pattern: str) -> str:
        """What is read until the pattern; what comes after it stays to be waited for."""
        until = time.monotonic() + _PAUSE
        while (match := re.search(pattern, self.text[self._start :])) is None:
            assert time.monotonic() < until, self.text
            if select.select([self._fd], [], [], 0.2)[0]:
                self.raw += os.read(self._fd, 65536).decode("utf-8", "replace")
        found = self.text[self._start : self._start + match.end()]
        self._start += match.end()
        return found

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def end(self, how: int = signal.SIGKILL) -> None:
        os.kill(self.pid, how)
        self.gone()

    def gone(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)


def test_one_key_decides_without_enter_and_keys_typed_ahead_count(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    terminal = Terminal(command(corpus))
    shown = terminal.wait_for(r"quit:")
    assert "Paper" in shown
    assert "ImageNet" in shown
    assert "\x1b[" in terminal.raw  # marked
    terminal.type("\x1b[A")  # an arrow, which ends in A
    terminal.wait_for("No such key")
    terminal.type("ax")
    terminal.type("d")
    terminal.wait_for("dataset ")
    terminal.type("CheXpert\n")
    terminal.wait_for("role ")
    terminal.type("t\n")
    terminal.wait_for("3 done")
    terminal.type("uq")
    terminal.wait_for("4 stored")
    assert terminal.gone() == 0
    made = decisions(corpus)
    assert [d.verdict for d in made] == ["accept", "reject", "edit", "undo"]
    assert (made[2].dataset, made[2].role, made[3].undoes) == ("CheXpert", "target", made[2].uid)
    assert all(d.queue == "uncertain" and d.reviewer == "ann" for d in made)
    assert all(d.shown_ms is not None for d in made[:3])


def test_a_kill_loses_no_decision_that_was_followed_by_the_next_item(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    kept = 0
    for n_keys in (1, 3, 2):
        terminal = Terminal(command(corpus))
        terminal.wait_for(rf"(?s){kept} done.*?quit:")
        terminal.type("a" * n_keys)
        terminal.wait_for(f"{kept + n_keys} done")
        terminal.end(signal.SIGKILL)
        kept += n_keys
        made = decisions(corpus)
        assert len(made) == kept
        assert len({(d.work_id, d.proposed_dataset) for d in made}) == kept


def test_a_kill_in_the_middle_of_typing_stores_each_key_once_or_not_at_all(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    terminal = Terminal(command(corpus))
    terminal.wait_for(r"quit:")
    terminal.type("axaxaxaxax" * 2)
    terminal.wait_for("3 done")
    terminal.end(signal.SIGKILL)
    made = decisions(corpus)
    assert 3 <= len(made) <= 20
    assert [d.verdict for d in made] == ["accept", "reject"] * (len(made) // 2) + ["accept"] * (
        len(made) % 2
    )
    assert len({d.work_id for d in made}) == len(made)


def test_a_dumb_terminal_takes_lines(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=2)
    terminal = Terminal(command(corpus), term="dumb")
    shown = terminal.wait_for("quit:")
    assert "Paper" in shown
    assert "\x1b[" not in terminal.raw
    terminal.type("a\n")
    terminal.wait_for("1 done")
    terminal.type("q\n")
    terminal.wait_for("1 stored")
    assert terminal.gone() == 0
    assert [d.verdict for d in decisions(corpus)] == ["accept"]


def test_a_pipe_does_the_same(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=2)
    done = piped(corpus, "n\nodd\ni\nCOCO\ns\n?\nz\nx\nk\n")
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    assert "No such key: 'z'" in done.stdout
    assert "Nothing waits for your decision." in done.stdout
    assert "4 events stored" in done.stderr
    made = decisions(corpus)
    assert [d.verdict for d in made] == ["note", "add", "reject", "skip"]
    assert (made[0].note, made[1].dataset, made[1].role) == ("odd", "COCO", "source")


def test_a_role_is_one_key(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=2)
    assert piped(corpus, "m\ns\n").returncode == 0
    first, second = decisions(corpus)
    assert (first.verdict, first.dataset, first.role) == ("edit", first.proposed_dataset, "mention")
    assert (second.verdict, second.role) == ("accept", "source")  # as was proposed


def test_a_model_stands_for_what_it_was_trained_on(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=1)
    done = piped(corpus, "i\nSAM\ni\nCoCa\n2\ni\nINSIGHT\nt\nq\n")
    assert "1  SA-1B (training set of SAM), as source" in done.stdout
    assert "1  INSIGHT (as written, not in the catalogue)" in done.stdout
    assert [(d.dataset, d.role) for d in decisions(corpus)] == [
        ("SA-1B", "source"),
        ("JFT-3B", "source"),
        ("INSIGHT", "target"),
    ]


def test_the_same_use_is_added_once(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=1)
    done = piped(corpus, "i\nCOCO\ns\ni\nms coco\ns\nq\n")
    assert "COCO as source is added already" in done.stdout
    assert len(decisions(corpus)) == 1


def test_a_closed_gold_paper_is_changed_and_stays_closed(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=2)
    draw(corpus, n=1, now=NOW)
    piped(corpus, "f\n", "--queue", "gold")
    (closed,) = decisions(corpus)
    again = ("--queue", "gold", "--paper", closed.work_id)
    done = piped(corpus, "i\nbrats\nt\nf\n", *again)
    assert "you said: done" in done.stdout
    assert "score" not in done.stdout
    assert [d.verdict for d in decisions(corpus)] == ["done", "add"]


def test_a_fault_is_said_and_the_item_stays(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=1)
    done = piped(corpus, "d\n\n\ni\nCOCO\nq\n")
    assert "changes nothing" in done.stdout
    assert "needs a dataset and a role" in done.stdout
    assert decisions(corpus) == []


def test_a_paper_is_taken_whole_but_for_what_is_wrong(tmp_path: Path) -> None:
    works = [work("W1", abstract=TEXT), work("W2", abstract=TEXT)]
    uses = [
        use("W1", start=16, end=24, evidence=TEXT, score=0.7),
        use("W1", "BraTS", "target", start=37, end=42, evidence=TEXT),
    ]
    corpus = survey(tmp_path, works, uses)
    done = piped(corpus, "2\na\n", "--queue", "paper")
    assert "2  ImageNet as source (0.70)" in done.stdout
    assert [(d.verdict, d.proposed_dataset) for d in decisions(corpus)] == [
        ("reject", "ImageNet"),
        ("accept", "BraTS"),
        ("done", None),
    ]
    assert "Paper" not in piped(corpus, "", "--queue", "paper").stdout
    again = piped(corpus, "f\n", "--paper", "W2")
    assert again.returncode == 0
    assert decisions(corpus)[-1].work_id == "W2"


def test_gold_shows_the_text_and_no_proposal(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=3)
    draw(corpus, n=1, now=NOW)
    done = piped(corpus, "i\nbrats\nt\nf\n", "--queue", "gold")
    assert f"abstract: {TEXT}" in done.stdout
    assert "score" not in done.stdout
    assert "[x] reject" not in done.stdout
    assert "you said: add BraTS as target" in done.stdout
    assert [(d.verdict, d.blind, d.queue) for d in decisions(corpus)] == [
        ("add", True, "gold"),
        ("done", True, "gold"),
    ]


def test_a_dispute_that_another_settled_is_not_asked(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, 1)
    paper = Item("gold", "W00", blind=True)
    right = {"dataset": "COCO", "note": "see section 3"}
    with corpus.journal() as journal:
        journal.set_frame([("W00", "all", 0)], n=1, seed=0, now=NOW)
    for who, role in (("bea", "source"), ("bob", "target")):
        add = {"uid": who, "verdict": "add", "token": paper.token, "role": role, **right}
        done = {"uid": f"{who}2", "verdict": "done", "token": paper.token}
        record(corpus, [add, done], reviewer=who, now=NOW)
    told = piped(corpus, "t\nk\n", "--queue", "adjudicate").stdout
    assert "bob said: done" in told
    assert "and COCO as target" in told
    assert "noted: add COCO as target (see section 3)" in told
    assert told.count("Is COCO as") == 1
    assert "Nothing waits" in told
    assert [(d.verdict, d.role) for d in decisions(corpus)[4:]] == [("edit", "target")]


def test_a_new_name_is_asked_with_its_evidence(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=1)
    corpus.append(Candidate, [candidate("W00", evidence="We use FooBar here.")], name="r1")
    done = piped(corpus, "a\n", "--queue", "new-name")
    assert "Is FooBar a dataset, as target?" in done.stdout
    assert "We use FooBar here." in done.stdout
    assert "FooBar" in (corpus.path / "datasets.csv").read_text()


def test_texts_cannot_drive_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]52;c;aGk=\x07 ImageNet \x9b2J"
    works = [work("W1", title=f"[red]T[/red] {evil}", abstract=evil)]
    corpus = survey(tmp_path, works, [use("W1", evidence=evil)])
    done = piped(corpus, "k\n")
    assert not set("\x1b\x07\x9b") & set(done.stdout)
    assert "[red]T[/red]" in done.stdout
    assert plain("a\x1b[2Jb\n\tc") == "a\ufffd[2Jb\n\tc"


@pytest.mark.parametrize(
    ("options", "why"),
    [(["--queue", "silver"], "not one of gold"), (["--paper", "W99"], "Nothing waits")],
)
def test_what_is_not_there_is_told(tmp_path: Path, options: list[str], why: str) -> None:
    done = piped(corpus_of(tmp_path, n=1), "", *options)
    assert why in done.stderr + done.stdout
