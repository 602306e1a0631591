"""Mining, annotating, reviewing and reading at the same time, each in its own process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from builders import survey

from miner.replay import serve

_REVIEW = textwrap.dedent(
    """
    import sys, time, uuid
    from datetime import UTC, datetime
    from pathlib import Path
    from annotate.review import queue, record
    from data.corpus import Corpus
    corpus, decided = Corpus(Path(sys.argv[1])), 0
    until = time.monotonic() + 60
    while decided < 20 and time.monotonic() < until:
        with corpus.connect() as db:
            items = queue(db, name="uncertain", reviewer="ann", limit=5)
        presses = [
            {"uid": str(uuid.uuid4()), "verdict": "accept", "token": item.token} for item in items
        ]
        done = record(corpus, presses, reviewer="ann", now=datetime.now(UTC))
        decided += len(done.kept)
    print(decided)
    """
)
_READ = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from data.corpus import Corpus
    from data.trends import survey_counts
    corpus, last = Corpus(Path(sys.argv[1])), 0
    until = time.monotonic() + 60
    while last < int(sys.argv[2]) and time.monotonic() < until:
        with corpus.connect() as db:
            works = survey_counts(db)["works"]
        assert works >= last, "a work went missing"
        last = works
    print(last)
    """
)


def records(n: int) -> list[dict[str, Any]]:
    words = ["We", "fine-tune", "a", "pretrained", "ResNet-50", "on", "BraTS", "."]
    return [
        {
            "id": f"https://openalex.org/W{number}",
            "title": f"Paper {number}",
            "publication_year": 2020,
            "publication_date": f"2020-{1 + number % 12:02d}-01",
            "type": "article",
            "language": "en",
            "topics": [{"id": "https://openalex.org/T1"}],
            "abstract_inverted_index": {word: [place] for place, word in enumerate(words)},
        }
        for number in range(n)
    ]


def test_four_processes_share_a_survey(tmp_path: Path) -> None:
    n_works = 1200
    corpus = survey(tmp_path)

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    annotate = ["-m", "cats", "annotate", "-C", str(tmp_path)]
    with serve(records(n_works), faults=["slow"]) as (url, _):
        mining = start("-m", "cats", "mine", "-C", str(tmp_path), CATS_OPENALEX_URL=url)
        reading = start("-c", _READ, str(tmp_path), str(n_works))
        reviewing = start("-c", _REVIEW, str(tmp_path))
        while mining.poll() is None:
            assert start(*annotate).communicate() is not None
        annotating = start(*annotate)
        said = {p: p.communicate()[0].strip() for p in (mining, annotating, reading, reviewing)}
    assert [process.returncode for process in said] == [0, 0, 0, 0]
    assert said[reading] == str(n_works)
    assert int(said[reviewing]) >= 20
    with corpus.connect() as db:
        ((works, annotated),) = db.sql(
            "SELECT (SELECT count(*) FROM works), (SELECT count(*) FROM annotated)"
        ).fetchall()
    assert works == annotated == n_works
    with corpus.journal() as journal:
        assert len(journal.decisions()) == int(said[reviewing])
