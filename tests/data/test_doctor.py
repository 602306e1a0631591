import json
import sqlite3
from pathlib import Path

import pytest
from builders import survey, use, work
from typer.testing import CliRunner

from data import doctor
from data.cli import app
from data.corpus import Corpus
from data.doctor import Check, examine
from data.errors import InputError


def checks(path: Path | None = None, **environment: str) -> dict[str, Check]:
    return {check.what: check for check in examine(environment, path)}


def test_an_installation_that_works_has_nothing_bad() -> None:
    found = checks()
    assert "bad" not in {check.state for check in found.values()}
    assert "datasets" in found["catalogue"].found
    assert all(check.advice for check in found.values() if check.state == "absent")


def test_a_key_is_told_as_set_and_never_shown() -> None:
    found = checks(OPENALEX_API_KEY="very-secret")
    assert found["OpenAlex key"].state == "good"
    assert "very-secret" not in str(found)
    assert checks()["OpenAlex key"].state == "absent"


def test_a_wrong_server_is_bad() -> None:
    assert "CATS_OPENALEX_URL" in checks(CATS_OPENALEX_URL="ftp://x")["servers"].found


def test_a_package_too_old_or_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["pyarrow>=999", "no-such-package>=1", 'nor-this>=1; extra == "dashboard"']
    monkeypatch.setattr(doctor, "requires", lambda name: asked)
    found = checks()
    assert found["core packages"].state == "bad"
    assert "pyarrow" in found["core packages"].found
    assert "(wants >=999)" in found["core packages"].found
    assert "no-such-package" in found["core packages"].found
    assert found["extra dashboard"].state == "absent"
    assert found["extra dashboard"].found == "missing: nor-this"


def test_a_whole_survey_is_good(tmp_path: Path) -> None:
    survey(tmp_path, [work(), work(id="W2")], [use()])
    found = checks(tmp_path)
    assert found["works"].found == "2 rows in 1 parts"
    assert found["uses"].state == found["journal"].state == found["protocol"].state == "good"
    assert found["passages"].state == "absent"


def test_looking_changes_nothing(tmp_path: Path) -> None:
    survey(tmp_path, [work()], [use()])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    checks(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_torn_part_is_named(tmp_path: Path) -> None:
    survey(tmp_path, [work()], [use()])
    (part,) = (tmp_path / "works").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    found = checks(tmp_path)
    assert found["works"].state == "bad"
    assert part.name in found["works"].found
    assert found["uses"].state == "good"


def test_a_damaged_journal_is_bad(tmp_path: Path) -> None:
    survey(tmp_path, [work()], [use()])
    with Corpus(tmp_path).journal():
        pass
    (tmp_path / "journal.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    assert checks(tmp_path)["journal"].state == "bad"


def test_a_journal_that_somebody_writes_is_read_all_the_same(tmp_path: Path) -> None:
    survey(tmp_path, [work()], [use()])
    writer = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        assert checks(tmp_path)["journal"].state == "good"
    finally:
        writer.close()


def test_a_wrong_protocol_is_bad(tmp_path: Path) -> None:
    survey(tmp_path)
    (tmp_path / "protocol.toml").write_text("title = ")
    assert checks(tmp_path)["protocol"].state == "bad"


def test_a_full_disk_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey(tmp_path)
    monkeypatch.setattr(doctor, "_LEAST_FREE_GB", 1e9)
    assert checks(tmp_path)["disk"].state == "bad"


def test_advice_is_printed_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda name: ['nor-this>=1; extra == "dashboard"'])
    shown = CliRunner().invoke(app, ["doctor"])
    assert 'pip install "cats-toolkit[dashboard]"' in shown.stdout


def test_the_command_prints_and_ends_with_three_where_something_is_broken(tmp_path: Path) -> None:
    survey(tmp_path, [work()])
    run = CliRunner().invoke
    assert run(app, ["doctor"]).exit_code == 0
    shown = run(app, ["doctor", "-C", str(tmp_path), "--json"])
    assert {"what", "state", "found", "advice"} == set(json.loads(shown.stdout)[0])
    (part,) = (tmp_path / "works").glob("*.parquet")
    part.write_bytes(b"")
    broken = run(app, ["doctor", "-C", str(tmp_path)])
    assert isinstance(broken.exception, InputError)
    assert "works" in str(broken.exception)
