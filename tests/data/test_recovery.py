"""A damaged or locked journal: a clear message, and nothing that can be read is lost."""

import random
import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW, decision, survey, work

import data.journal
from data.corpus import Corpus
from data.errors import InputError
from data.journal import Checkpoint, Journal
from data.recovery import recover

_N = 400
_LONG = "a long remark " * 900  # runs over into other pages


def filled(path: Path) -> Path:
    with Journal(path) as journal:
        made = [
            decision(
                f"u{n:04d}",
                "accept",
                work_id=f"W{n}",
                score=n / _N,
                shown_ms=n,
                note=_LONG if n % 100 == 7 else None,
                blind=bool(n % 2),
                at=NOW + timedelta(seconds=n),
            )
            for n in range(_N)
        ]
        journal.decide(made)
        journal.plan([Checkpoint("r", "q", "s", "c", 1, 2, None)], now=NOW)
        journal.screen("protocol", [(f"W{n}", True, "") for n in range(_N)], now=NOW)
        journal.set_frame([("W1", "all", 0)], n=1, seed=3, now=NOW)
    return path


def all_of(path: Path) -> list[object]:
    with Journal(path) as journal:
        return list(journal.decisions())


def damage(path: Path, *pages: int) -> None:
    body = bytearray(path.read_bytes())
    for page in pages:
        body[4096 * page : 4096 * (page + 1)] = random.Random(page).randbytes(4096)
    path.write_bytes(body)


def root_of(path: Path, table: str) -> int:
    with sqlite3.connect(path) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    db.close()
    return int(root) - 1


def test_the_first_page_is_gone_and_no_decision_with_it(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db")
    before = all_of(path)
    damage(path, 0)
    with pytest.raises(InputError, match=r"damaged .*cats status --recover"):
        Journal(path)
    done = recover(path, now=NOW)
    assert all_of(path) == before
    assert done.from_bytes == _N
    assert done.damaged.exists()
    assert done.damaged.read_bytes()[:4] != b"SQLi"


def test_the_root_of_the_decisions_is_gone_and_none_of_them(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db")
    before = all_of(path)
    damage(path, root_of(path, "decisions"))
    with pytest.raises(InputError, match="damaged"), Journal(path) as journal:
        journal.decisions()
    done = recover(path, now=NOW)
    assert all_of(path) == before
    assert done.rows["screened"] == _N
    with Journal(path) as journal:
        assert journal.checkpoints("r") == [Checkpoint("r", "q", "s", "c", 1, 2, None)]
        assert journal.drawn() == (1, 3)


@pytest.mark.parametrize("seed", range(6))
def test_of_broken_pages_only_their_own_rows_are_lost(tmp_path: Path, seed: int) -> None:
    path = filled(tmp_path / "journal.db")
    before = {made.uid: made for made in all_of(path)}  # type: ignore[attr-defined]
    n_pages = path.stat().st_size // 4096
    broken = random.Random(seed).sample(range(1, n_pages), 3)
    damage(path, *broken)
    recover(path, now=NOW)
    after = {made.uid: made for made in all_of(path)}  # type: ignore[attr-defined]
    assert all(before[uid] == made for uid, made in after.items())
    assert len(after) >= _N - 3 * 30  # a page has some 25 decisions
    with Journal(path) as journal:  # and it is a journal as any other
        journal.decide([decision("new", "reject")])


def test_what_is_in_the_log_only_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    script = textwrap.dedent(
        """
        import os, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from data.journal import Journal
        from data.records import Decision
        journal = Journal(Path(sys.argv[1]))
        for n in range(5):
            journal.decide([Decision(uid=f"u{n}", work_id="W1", verdict="skip", reviewer="ann",
                                     codebook="1.1", at=datetime.now(UTC))])
        os._exit(0)
        """
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0
    assert path.with_name("journal.db-wal").stat().st_size > 0
    path.write_bytes(b"\0" * path.stat().st_size)
    path.with_name("journal.db-shm").unlink()
    recover(path, now=NOW)
    assert len(all_of(path)) == 5
    assert not path.with_name("journal.db-wal").exists() or all_of(path)


def test_a_sound_journal_stays_as_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db")
    before = all_of(path)
    assert recover(path, now=NOW).from_bytes == 0
    assert all_of(path) == before
    with Journal(path) as journal, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        journal._db.execute("DELETE FROM decisions")


def test_nothing_readable_is_said_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a journal at all")
    with pytest.raises(InputError, match="nothing in the journal can be read"):
        recover(path, now=NOW)
    assert path.read_bytes() == b"not a journal at all"
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]
    with pytest.raises(InputError, match="no journal"):
        recover(tmp_path / "none.db", now=NOW)


def test_an_old_journal_gains_the_new_columns_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    old = data.journal.DECISION_COLUMNS[: data.journal.DECISION_COLUMNS.index("at") + 1]
    with sqlite3.connect(path) as db:
        columns = ", ".join(f'"{name}"' for name in old[1:])
        db.execute(f'CREATE TABLE decisions ("uid" PRIMARY KEY, {columns})')
        db.execute(
            f"INSERT INTO decisions (uid, work_id, verdict, reviewer, codebook, at) "
            f"VALUES ('a', 'W1', 'skip', 'ann', '1.0', '{NOW.isoformat()}')"
        )
        db.execute("PRAGMA user_version = 2")
    db.close()
    with Journal(path) as journal:
        journal.decide([decision("b", "accept", queue="gold", blind=True, weight=2.5)])
        first, second = journal.decisions()
    assert (first.uid, first.queue, first.blind) == ("a", None, None)
    assert (second.queue, second.blind, second.weight) == ("gold", True, 2.5)
    damage(path, 0)
    recover(path, now=NOW)
    assert all_of(path) == [first, second]


def test_a_journal_that_another_program_holds_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus: Corpus = survey(tmp_path, [work()])
    monkeypatch.setattr(data.journal, "_BUSY_MS", 200)
    script = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "journal.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        held = pytest.raises(InputError, match=r"another program has held the journal for 0\.2 s")
        with held, corpus.journal() as journal:
            journal.decide([decision("a", "accept")])
    finally:
        holder.communicate()
    with corpus.journal() as journal:
        assert journal.decide([decision("a", "accept")]) == ["a"]
