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


def test_versions_are_replaced_whole_unless_people_split_meanwhile(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        assert journal.replace_versions([("W1", "W2", "a")], splits=set(), now=NOW)
        assert journal.replace_versions([("W3", "W4", "b")], splits=set(), now=NOW)
        assert journal.table("versions")["work_id"].to_pylist() == ["W3"]
        journal.split("W4", "W3", apart=True, who="ann", note=None, now=NOW)
        assert not journal.replace_versions([], splits=set(), now=NOW)
        assert journal.table("versions").num_rows == 1
        assert journal.replace_versions([], splits={("W3", "W4")}, now=NOW)


def test_the_last_word_on_a_split_counts_and_all_are_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        for apart in (True, False, True):
            journal.split("W2", "W1", apart=apart, who="ann", note="why", now=NOW)
        journal.split("W1", "W3", apart=True, who="bob", note=None, now=NOW)
        journal.split("W3", "W1", apart=False, who="bob", note=None, now=NOW)
        assert journal.splits() == {("W1", "W2")}
        assert journal.table("splits").num_rows == 5


@pytest.mark.parametrize("sql", ["UPDATE splits SET note = 'x'", "DELETE FROM splits"])
def test_splits_cannot_be_changed(tmp_path: Path, sql: str) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.split("W1", "W2", apart=True, who="ann", note=None, now=NOW)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            journal._db.execute(sql)


def test_a_journal_from_before_versions_gets_their_tables(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal._db.executescript(
            "DROP TABLE splits; DROP TABLE versions; PRAGMA user_version = 2;"
        )
    with Journal(tmp_path / "j.db") as journal:
        assert journal.splits() == set()
        assert journal.table("versions").num_rows == 0


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.reading(path) as journal:
        assert journal.decisions() == []
    assert list(tmp_path.iterdir()) == []
    with Journal(path) as journal:
        journal.decide([decision("a", "accept")])
        journal.copy_without_notes(tmp_path / "copy.db")
    before = (tmp_path / "copy.db").read_bytes()
    with Journal.reading(tmp_path / "copy.db") as journal:
        assert [made.uid for made in journal.decisions()] == ["a"]
        with pytest.raises(InputError, match="readonly"):
            journal.decide([decision("b", "accept")])
    assert (tmp_path / "copy.db").read_bytes() == before
    assert not (tmp_path / "copy.db-wal").exists()


def test_a_copy_leaves_notes_out_and_is_append_only_too(tmp_path: Path) -> None:
    words = "copied from an abstract " * 400  # longer than a page of the file
    with Journal(tmp_path / "j.db") as journal:
        journal.decide([decision("a", "accept", note=words), decision("b", "note", note=words)])
        journal.split("W1", "W2", apart=True, who="ann", note=words, now=NOW)
        journal.copy_without_notes(tmp_path / "copy.db")
        assert [made.note for made in journal.decisions()] == [words, words]
    assert b"copied" not in (tmp_path / "copy.db").read_bytes()
    with Journal(tmp_path / "copy.db") as copy:
        assert [(made.uid, made.note) for made in copy.decisions()] == [("a", None), ("b", None)]
        assert copy.splits() == {("W1", "W2")}
        for table in ("decisions", "splits"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                copy._db.execute(f"DELETE FROM {table}")
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                copy._db.execute(f"UPDATE {table} SET note = 'x'")


def test_an_older_journal_is_read_without_changing_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Journal(path).close()
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA journal_mode = DELETE")
        old.execute("DROP TABLE sought")
        old.execute("PRAGMA user_version = 1")
    old.close()
    before = path.read_bytes()
    with Journal.reading(path) as journal:
        assert journal.table("sought").num_rows == 0
    assert path.read_bytes() == before


def test_what_is_read_follows_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as writer:
        writer.decide([decision("a", "accept")])
        with Journal.reading(path) as reader:
            writer.decide([decision("b", "reject")])
            assert [made.uid for made in reader.decisions()] == ["a", "b"]
