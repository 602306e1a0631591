import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW, decision

from data.errors import InputError
from data.journal import Checkpoint, Journal


def test_a_page_moves_checkpoint_and_hits_together(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        at = Checkpoint("r", "search", "", "next", 1, 2, 10)
        journal.page_done(at, ["W1", "W2"], now=NOW)
        assert journal.checkpoints("r") == [at]
        assert journal.table("hits")["work_id"].to_pylist() == ["W1", "W2"]
        assert journal.checkpoints("other") == []


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        with pytest.raises(RuntimeError), journal.transaction():
            journal._db.execute("INSERT INTO hits VALUES ('W1', 'q', 'r')")
            raise RuntimeError
        assert journal.table("hits").num_rows == 0


def test_open_and_ended_runs_are_told_apart(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.start_run("r1", "mine", settings={"q": 1}, now=NOW)
        assert journal.open_run("mine", settings={"q": 1}) == "r1"
        assert journal.open_run("mine", settings={"q": 2}) is None
        assert journal.ended_at("mine", settings={"q": 1}) is None
        journal.end_run("r1", now=NOW)
        assert journal.open_run("mine", settings={"q": 1}) is None
        assert journal.ended_at("mine", settings={"q": 1}) == NOW


def test_a_decision_sent_twice_counts_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        assert journal.decide([decision("a", "accept")]) == ["a"]
        assert journal.decide([decision("a", "reject")]) == ["a"]
        assert [d.verdict for d in journal.decisions()] == ["accept"]


@pytest.mark.parametrize("sql", ["UPDATE decisions SET note = 'x'", "DELETE FROM decisions"])
def test_decisions_cannot_be_changed(tmp_path: Path, sql: str) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.decide([decision("a", "accept")])
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            journal._db.execute(sql)


def test_decisions_come_oldest_first(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.decide([decision("b", "accept", at=NOW + timedelta(1)), decision("a", "reject")])
        assert [d.uid for d in journal.decisions()] == ["a", "b"]


def test_two_processes_write_side_by_side(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from data.journal import Checkpoint, Journal
        with Journal(Path(sys.argv[1])) as journal:
            for n in range(60):
                at = Checkpoint(sys.argv[2], "q", "", None, n, n, None)
                journal.page_done(at, [f"{sys.argv[2]}-{n}"], now=datetime.now(UTC))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "j.db")]
    children = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [child.wait() for child in children] == [0, 0]
    with Journal(tmp_path / "j.db") as journal:
        assert journal.table("hits").num_rows == 120


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal._db.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="upgrade"):
        Journal(tmp_path / "j.db")


def test_what_is_annotated_is_known_by_its_last_annotator(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.annotated_done("r1", "one", [("W1", "h1", False), ("W2", "h2", True)], now=NOW)
        journal.annotated_done("r2", "two", [("W1", "h1", False)], now=NOW + timedelta(1))
        assert journal.annotated_inputs("one") == {"W2": "h2"}
        assert journal.annotated_inputs("two") == {"W1": "h1"}
