import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from builders import survey

from miner.replay import serve

WORKS = [
    {
        "id": f"https://openalex.org/W{n}",
        "publication_year": 2020,
        "publication_date": "2020-01-01",
        "title": "A",
        "type": "article",
        "language": "en",
        "topics": [{"id": "https://openalex.org/T1"}],
    }
    for n in range(1, 4)
]


def cats(*arguments: str, url: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CATS_OPENALEX_URL": url}
    return subprocess.run(
        [sys.executable, "-m", "cats", *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def result(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_mine_then_mine_again_asks_nothing(tmp_path: Path) -> None:
    survey(tmp_path)
    with serve(WORKS) as (url, library):
        assert result(cats("mine", "-C", str(tmp_path), "--json", url=url))["works"] == 3
        asked = len(library.requests)
        again = cats("mine", "-C", str(tmp_path), url=url)
        assert "--again asks it anew" in again.stderr
        assert len(library.requests) == asked
        cats("mine", "-C", str(tmp_path), "--again", url=url)
        assert len(library.requests) == 2 * asked


def test_plan_asks_once_and_says_the_price(tmp_path: Path) -> None:
    survey(tmp_path)
    with serve(WORKS) as (url, library):
        (plan,) = result(cats("plan", "-C", str(tmp_path), "--json", url=url))
    assert (plan["works"], len(plan["slices"]), plan["calls"]) == (3, 1, 2)
    assert (plan["days"], plan["by_year"]) == (1, {"2020": 3})
    assert len(library.requests) == 1


def test_exit_codes_say_what_to_do(tmp_path: Path) -> None:
    survey(tmp_path)
    with serve(WORKS, faults=["429-plan"]) as (url, _):
        assert cats("mine", "-C", str(tmp_path), url=url).returncode == 3
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps(WORKS[0]) + "\nnot json\n")
    partial = cats("mine", "-C", str(tmp_path), "--from", str(bad))
    assert partial.returncode == 4
    assert "rejects" in partial.stderr
    assert "Traceback" not in partial.stderr


def test_replay_prints_its_address_and_serves(tmp_path: Path) -> None:
    survey(tmp_path / "s")
    works = tmp_path / "works.jsonl"
    works.write_text("".join(json.dumps(work) + "\n" for work in WORKS))
    with subprocess.Popen(
        [sys.executable, "-m", "cats", "replay", str(works)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        done = cats("mine", "-C", str(tmp_path / "s"), "--json", url=url)
        server.terminate()
    assert result(done)["works"] == 3


def test_update_brings_a_new_work(tmp_path: Path) -> None:
    survey(tmp_path)
    with serve(WORKS) as (url, _):
        early = cats("mine", "-C", str(tmp_path), "--update", url=url)
        assert (early.returncode, "`cats mine` first" in early.stderr) == (3, True)
        cats("mine", "-C", str(tmp_path), url=url)
        port = urlsplit(url).port or 0
    new = WORKS[0] | {
        "id": "https://openalex.org/W9",
        "publication_year": 2026,
        "publication_date": "2026-01-01",
    }
    with serve([*WORKS, new], port=port) as (url, _):
        found = result(cats("mine", "-C", str(tmp_path), "--update", "--json", url=url))
        # These works have no date of change, so all count as changed.
        assert found["works"] == 4
        assert result(cats("status", "-C", str(tmp_path), "--json", url=url))["works"] == 4


def test_plan_says_what_the_text_leaves_out_and_asks_the_cheaper_question(tmp_path: Path) -> None:
    survey(tmp_path)
    protocol = tmp_path / "protocol.toml"
    text = protocol.read_text()
    words = [WORKS[0] | {"title": "Pretrained"}, *WORKS[1:]]
    with serve(words) as (url, library):
        protocol.write_text(text.replace("first_year", 'text = "pretrained"\nfirst_year'))
        (narrow,) = result(cats("plan", "-C", str(tmp_path), "--json", url=url))
        protocol.write_text(
            text.replace("first_year", 'text = "pretrained OR NOT pretrained"\nfirst_year')
        )
        (same,) = result(cats("plan", "-C", str(tmp_path), "--json", url=url))
        library.requests.clear()
        assert result(cats("mine", "-C", str(tmp_path), "--json", url=url))["works"] == 3
    assert (narrow["works"], narrow["topics_alone"], narrow["query"]) == (1, 3, "search")
    assert (same["works"], same["topics_alone"]) == (3, 3)
    assert same["query"] == "search, topics only"
    assert narrow["dollars"] == 10 * same["dollars"]
    assert sum(".search" in request.path for request in library.requests) == 1  # to count only


def test_topics_come_as_lines_for_the_protocol(tmp_path: Path) -> None:
    named = {"id": "https://openalex.org/T10052", "display_name": "Medical Image Segmentation"}
    with serve([WORKS[0] | {"topics": [named]}, *WORKS[1:]]) as (url, _):
        line = cats("topics", "medical image", url=url).stdout
        none = cats("topics", "astronomy", url=url)
    assert line == '    { id = "T10052", name = "Medical Image Segmentation" },  # 1 works\n'
    assert (none.stdout, none.returncode) == ("", 0)
    assert "no topic has" in none.stderr
