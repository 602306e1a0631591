import csv
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, decision, survey, work
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from data.errors import InputError
from data.records import Work
from miner import evidence
from miner.openalex import parse_work
from miner.versions import Merge, hold_apart, merge_versions, merged, versions

PAIRS = Path(__file__).parents[1] / "fixtures" / "version_pairs.jsonl"
RECALL = 56 / 65  # reached; what is missed is named in the file, below "reworded"
TITLE = "Calibrated uncertainty for lesion delineation in brain scans"
AUTHORS = ("Mira Castellan", "Joren Vale", "Tam Oduya")


def paper(id: str = "W1", **fields: Any) -> Work:
    return work(id, **({"title": TITLE, "authors": AUTHORS} | fields))


def preprint(id: str = "W1", **fields: Any) -> Work:
    return paper(id, **({"type": "preprint", "venue": "arXiv"} | fields))


def labelled() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def works_of(pair: dict[str, Any]) -> list[Work]:
    found = []
    for id, side in (("W1", "a"), ("W2", "b")):
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in pair[side].items()}
        found.append(work(id, **fields))
    return found


def into(merges: list[Merge]) -> dict[str, str]:
    return {merge.work_id: merge.into for merge in merges}


# --- the labelled pairs ---------------------------------------------------------------------------


def test_the_labelled_set_is_tricky_and_large() -> None:
    pairs = labelled()
    assert len({pair["tricky"] for pair in pairs}) == len(pairs) >= 130
    assert min(sum(pair["same"] for pair in pairs), sum(not pair["same"] for pair in pairs)) >= 60


@pytest.mark.parametrize(
    "pair", [pair for pair in labelled() if not pair["same"]], ids=lambda pair: pair["tricky"]
)
def test_no_two_papers_become_one(pair: dict[str, Any]) -> None:
    assert versions(works_of(pair)) == []


def test_recall_on_the_labelled_pairs() -> None:
    same = [pair for pair in labelled() if pair["same"]]
    found = sum(bool(versions(works_of(pair))) for pair in same)
    assert found / len(same) >= RECALL


# --- properties -----------------------------------------------------------------------------------

_TITLES = (
    TITLE,
    f"Erratum to: {TITLE}",
    f"{TITLE}: part II",
    f"{TITLE}, revisited",
    "Editorial",
    None,
)
_LINKS = ("arxiv:2101.00001", "arxiv:2101.00002", "doi:10.5555/proc", "pmid:7")
_PEOPLE = (AUTHORS, ("M. Castellan", "J. Vale"), ("Milo Castellan", "Joren Vale"), ("A. Lee",), ())
WORKS = st.lists(
    st.builds(
        paper,
        id=st.integers(1, 12).map("W{}".format),
        title=st.sampled_from(_TITLES),
        links=st.lists(st.sampled_from(_LINKS), max_size=2, unique=True).map(tuple),
        authors=st.sampled_from(_PEOPLE),
        year=st.sampled_from([None, 2017, 2018, 2020, 2021]),
        type=st.sampled_from(["article", "preprint", "conference-paper", "dataset", None]),
        abstract=st.sampled_from([None, "An abstract."]),
    ),
    max_size=9,
    unique_by=lambda work: work.id,
)
SPLITS = st.lists(
    st.tuples(*2 * [st.integers(1, 12).map("W{}".format)]).filter(lambda pair: pair[0] != pair[1]),
    max_size=4,
)


@given(WORKS, SPLITS, st.randoms(use_true_random=False))
def test_the_order_of_works_does_not_matter(
    works: list[Work], splits: list[tuple[str, str]], rng: random.Random
) -> None:
    other, others = works[:], [pair[::-1] for pair in splits]
    rng.shuffle(other)
    rng.shuffle(others)
    assert versions(works, splits=splits) == versions(other, splits=others)


@given(WORKS, SPLITS)
def test_a_merge_is_a_star_and_no_split_pair_is_in_one(
    works: list[Work], splits: list[tuple[str, str]]
) -> None:
    merges = versions(works, splits=splits)
    found = into(merges)
    assert len(found) == len(merges)
    assert not set(found) & set(found.values())
    groups = defaultdict(set)
    for version, stands in found.items():
        groups[stands] |= {version, stands}
    for pair in splits:
        assert not any(set(pair) <= group for group in groups.values())


@given(WORKS)
def test_computing_on_what_was_merged_gives_the_same(works: list[Work]) -> None:
    first = versions(works)
    taken = set(into(first)) | set(into(first).values())
    again = versions(work for work in works if work.id in taken)
    assert set(into(again)) | set(into(again).values()) <= taken
    assert versions([*works, *works]) == first, "a work told twice is one work"


@given(WORKS)
def test_blocks_leave_out_no_pair(works: list[Work]) -> None:
    """Comparing all pairs finds no more than comparing those that share a block."""
    known = [evidence.version_of(work) for work in sorted(works, key=lambda work: work.id)]
    dated = [v for v in known if v.title and v.authors and v.year is not None]
    everything = {
        (link.one.id, link.other.id)
        for one, other in combinations(dated, 2)
        if (link := evidence._by_title(one, other)) is not None
    }
    blocked = {
        (one.id, other.id)
        for block in evidence._blocks(known)
        for one, other in evidence._pairs(block)
    }
    assert everything <= blocked


def test_a_crowd_is_compared_by_author() -> None:
    crowd = [
        paper(f"W{n}", authors=(f"{chr(65 + n % 26)}ana Crowd{chr(97 + n // 26)}", "Bo Lind"))
        for n in range(60)
    ]
    twin = preprint("W99", authors=(crowd[7].authors[0], "Bo Lind"))
    assert into(versions([*crowd, twin])) == {"W99": "W7"}


# --- which stands, and why ------------------------------------------------------------------------


def test_journal_before_conference_before_preprint() -> None:
    works = [
        preprint("W1", year=2019),
        paper("W2", type="conference-paper", year=2019),
        paper("W3", year=2020),
    ]
    assert into(versions(works)) == {"W1": "W3", "W2": "W3"}
    assert into(versions(works[:2])) == {"W1": "W2"}


def test_a_version_with_a_text_stands_before_one_without() -> None:
    works = [preprint("W1"), paper("W2", abstract=None)]
    assert into(versions(works)) == {"W2": "W1"}


def test_the_earlier_stands_among_equals_then_the_first_id() -> None:
    late, early = paper("W1", date=date(2020, 5, 1)), paper("W2", date=date(2020, 2, 1))
    assert into(versions([late, early])) == {"W1": "W2"}
    assert into(versions([paper("W2"), paper("W1")])) == {"W2": "W1"}


def test_what_people_reviewed_keeps_standing() -> None:
    works = [preprint("W1"), paper("W2")]
    assert into(versions(works, reviewed={"W1"})) == {"W2": "W1"}


def test_an_identifier_that_five_works_share_is_no_evidence() -> None:
    def sharing(n: int) -> list[Work]:
        return [paper(f"W{k}", authors=(), links=("doi:10.5555/p",)) for k in range(n)]

    assert len(versions(sharing(4))) == 3
    assert versions(sharing(5)) == []


def test_one_clearly_other_title_voids_an_identifier() -> None:
    works = [paper(f"W{n}", authors=(), links=("doi:10.5555/p",)) for n in range(2)]
    other = paper("W3", title="Retrieving pictures by sketch", authors=(), links=("doi:10.5555/p",))
    assert len(versions(works)) == 1
    assert versions([*works, other]) == []


def test_a_title_that_one_author_gives_to_six_works_names_a_series() -> None:
    assert len(versions([paper(f"W{n}") for n in range(5)])) == 4
    assert versions([paper(f"W{n}") for n in range(6)]) == []


def test_the_reason_names_the_evidence() -> None:
    works = [preprint("W1", links=("arxiv:2101.00001",)), paper("W2", links=("arxiv:2101.00001",))]
    assert versions(works)[0].reason == "same arXiv id 2101.00001"
    (by_title,) = versions([preprint("W1"), paper("W2", title=TITLE.upper())])
    assert by_title.reason == "title 1.00, first author and year"


def test_a_link_through_a_third_work_says_through_which() -> None:
    works = [
        preprint("W1", title="Doubtful lesion maps in brain scans", links=("arxiv:1",)),
        preprint("W2", title="Doubtful lesion maps for brain scans", links=("arxiv:1", "pmid:9")),
        paper("W3", title="Doubtful maps of lesions", links=("pmid:9",)),
    ]
    assert versions(works)[0] == Merge("W1", "W3", "same arXiv id 1, with W2")


def test_two_authors_of_one_initial_do_not_meet_through_it() -> None:
    works = [
        paper("W1", authors=("Mira Castellan", "Joren Vale")),
        paper("W2", authors=("M. Castellan", "Joren Vale")),
        paper("W3", authors=("Milo Castellan", "Joren Vale")),
    ]
    assert len(versions(works)) == 1


def test_a_split_cuts_the_weakest_link() -> None:
    works = [
        preprint("W1", links=("arxiv:1",)),
        paper("W2", links=("arxiv:1",)),
        paper("W3", title=TITLE.replace("delineation", "delineations"), type="conference-paper"),
    ]
    assert into(versions(works)) == {"W1": "W2", "W3": "W2"}
    # W1 and W2 hold by a name, so W3 leaves both.
    assert into(versions(works, splits=[("W1", "W3")])) == {"W1": "W2"}


# --- in a survey ----------------------------------------------------------------------------------


def stored(corpus: Corpus) -> dict[str, str]:
    with corpus.connect() as db:
        return {row["work_id"]: row["into"] for row in merged(db)}


def merge(corpus: Corpus) -> dict[str, str]:
    merges = merge_versions(corpus, clock=lambda: NOW)
    assert into(merges) == stored(corpus)
    return into(merges)


def included(corpus: Corpus) -> set[str]:
    return {work_id for work_id, _ in corpus.passages()}


def test_a_survey_counts_a_paper_once(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2"), paper("W3", title="Another")])
    assert merge(corpus) == merge(corpus) == {"W1": "W2"}
    assert included(corpus) == {"W2", "W3"}
    with corpus.connect() as db:
        (row,) = merged(db)
    assert (row["venue"], row["into_title"], row["year"]) == ("arXiv", TITLE, 2020)


def test_a_version_that_is_gone_is_no_longer_merged(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    merge(corpus)
    newer = replace(paper("W2", title="Renamed altogether"), fetched_at=NOW.replace(year=2027))
    corpus.append(Work, [newer], name="later")
    assert merge(corpus) == {}
    assert included(corpus) == {"W1", "W2"}


def test_what_the_protocol_left_out_stands_for_nothing(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    merge(corpus)
    with corpus.journal() as journal:
        journal.screen("protocol", [("W2", False, "no abstract")], now=NOW)
    assert included(corpus) == {"W1"}, "before versions are computed again"
    assert merge(corpus) == {}
    assert included(corpus) == {"W1"}


def test_what_people_leave_out_does_not_come_back_as_its_preprint(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    with corpus.journal() as journal:
        journal.screen("people", [("W2", False, "off topic")], now=NOW)
    merge(corpus)
    assert included(corpus) == set()


def test_a_review_keeps_its_work_in_the_survey(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    with corpus.journal() as journal:
        journal.decide([decision("a", "accept", work_id="W1")])
    assert merge(corpus) == {"W2": "W1"}


def test_a_split_is_kept_and_can_be_taken_back(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    hold_apart(corpus, "W2", "W1", by="ann", note="two studies", now=NOW)
    assert merge(corpus) == merge(corpus) == {}
    hold_apart(corpus, "W1", "W2", by="ann", note=None, now=NOW, apart=False)
    assert merge(corpus) == {"W1": "W2"}


@pytest.mark.parametrize(
    ("pair", "apart", "said"),
    [
        (("W1", "W1"), True, "from itself"),
        (("W1", "W9"), True, "no such work"),
        (("W1", "W2"), False, "not split"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(
    tmp_path: Path, pair: tuple[str, str], apart: bool, said: str
) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    with pytest.raises(InputError, match=said):
        hold_apart(corpus, *pair, by="ann", note=None, now=NOW, apart=apart)


def test_a_split_while_computing_is_not_lost(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [preprint("W1"), paper("W2")])
    times = 0

    def clock() -> Any:
        nonlocal times
        times += 1
        if times == 1:
            hold_apart(corpus, "W1", "W2", by="ann", note=None, now=NOW)
        return NOW

    assert merge_versions(corpus, clock=clock) == []
    assert times == 2
    assert stored(corpus) == {}


def test_a_kill_leaves_the_old_versions_or_the_new(tmp_path: Path) -> None:
    works = [preprint(f"W{n}", title=f"{TITLE} number {n}") for n in range(400)]
    works += [replace(work, id=f"J{work.id}", type="article", venue=None) for work in works]
    corpus = survey(tmp_path, works)
    assert len(merge(corpus)) == 400
    script = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from data.corpus import Corpus\nfrom miner.versions import merge_versions\n"
        "corpus = Corpus(Path(sys.argv[1]))\nprint('on', flush=True)\n"
        "while True:\n    merge_versions(corpus, clock=lambda: datetime.now(UTC))\n"
    )
    for wait in (0.05, 0.2, 0.4, 0.6):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "on\n"
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert len(stored(corpus)) == 400
        with corpus.journal() as journal:
            assert len(set(journal.table("versions")["at"].to_pylist())) == 1


# --- the command ----------------------------------------------------------------------------------


def cats(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cats", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_command_prints_what_was_merged_and_why(tmp_path: Path) -> None:
    survey(tmp_path, [preprint("W1"), paper("W2", venue="A Journal")])
    done = cats("versions", "-C", str(tmp_path), "--json")
    (row,) = json.loads(done.stdout)
    assert (row["work_id"], row["into"], row["into_venue"]) == ("W1", "W2", "A Journal")
    assert "1 versions merged into 1 papers" in done.stderr
    (row,) = csv.DictReader(cats("versions", "-C", str(tmp_path), "--csv").stdout.splitlines())
    assert row["reason"] == "title 1.00, first author and year"
    shown = cats("versions", "-C", str(tmp_path)).stdout
    assert "W1" in shown
    assert "first author" in shown
    assert cats("versions", "-C", str(tmp_path), "--csv", "--json").returncode == 3


def test_the_command_splits_and_takes_back(tmp_path: Path) -> None:
    survey(tmp_path, [preprint("W1"), paper("W2")])
    base = ("versions", "-C", str(tmp_path), "--json")
    url = "https://openalex.org/W1"
    assert json.loads(cats(*base, "--split", url, "W2", "--by", "ann").stdout) == []
    assert json.loads(cats(*base).stdout) == []
    assert len(json.loads(cats(*base, "--undo-split", "W2", "W1", "--by", "ann").stdout)) == 1
    nameless = cats(*base, "--split", "W1", "W2")
    assert nameless.returncode == 3
    assert "--by NAME" in nameless.stderr


def test_mining_merges_versions(tmp_path: Path) -> None:
    survey(tmp_path / "s")
    records = [
        {
            "id": f"https://openalex.org/W{n}",
            "title": TITLE,
            "publication_year": 2020,
            "type": kind,
            "language": "en",
            "topics": [{"id": "https://openalex.org/T1"}],
            "abstract_inverted_index": {"Lesions.": [0]},
            "authorships": [{"author": {"display_name": name}} for name in AUTHORS],
        }
        for n, kind in ((1, "preprint"), (2, "article"))
    ]
    file = tmp_path / "works.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    done = cats("mine", "-C", str(tmp_path / "s"), "--from", str(file))
    assert done.returncode == 0, done.stderr
    assert "1 versions merged into 1 papers" in done.stderr
    assert included(Corpus(tmp_path / "s")) == {"W2"}


# --- real titles ----------------------------------------------------------------------------------


def test_no_two_of_a_thousand_real_titles_become_one(shared: Path) -> None:
    """They are of distinct papers without authors here, so all are given the same ones."""
    with gzip.open(shared / "corpus" / "works.jsonl.gz", "rt", encoding="utf-8") as lines:
        works = [parse_work(json.loads(line), fetched_at=NOW) for line in lines]
    assert len(works) > 1000
    assert versions(works) == []
    assert versions(replace(work, authors=AUTHORS) for work in works) == []
