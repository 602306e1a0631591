import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bucket import bucket
from builders import NOW, PROTOCOL, survey, work
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from data.engines import Engine
from data.errors import InputError, NetworkError, StoppedError
from data.protocol import load
from data.readers import no_main
from data.records import Work
from data.settings import Settings
from miner.criteria import Criteria
from miner.mine import mine
from miner.pages import Pages
from miner.parts import Mined
from miner.release import Release, SnapshotPart, release_at
from miner.replay import serve
from miner.scan import Reading
from miner.snapshot import Progress, mine_snapshot, snapshot_plan

Records = Sequence[Mapping[str, Any]]
SEEDS = '[[seeds]]\nname = "cites ImageNet"\ncites = "W900"\n'
PLAIN = Engine(workers=1)


def record(number: int, **fields: Any) -> dict[str, Any]:
    """A work of the snapshot; numbers differ in all that a protocol asks for."""
    day = date(2012, 1, 1) + timedelta(days=(number * 797) % 5400)
    words = ["Transfer", "learning", "of", "networks", "for", "CT", "scans"]
    plain = {
        "id": f"https://openalex.org/W{number}",
        "title": f"Paper {number} " + ("on pretraining" if number % 4 else "on a pretrained net"),
        "abstract_inverted_index": {word: [at] for at, word in enumerate(words[number % 3 :])},
        "publication_year": day.year,
        "publication_date": day.isoformat(),
        "type": ["article", "preprint", "dataset"][number % 3],
        "language": "de" if number % 7 == 0 else "en",
        "topics": [{"id": f"https://openalex.org/T{1 + number % 5}"}],
        "referenced_works": ["https://openalex.org/W900"] if number % 11 == 0 else [],
        "authorships": [{"author": {"display_name": "Ada"}, "countries": ["NL"]}],
        "is_xpac": number % 13 == 0,
        "updated_date": "2026-05-01T10:00:00",
    }
    return plain | fields


RECORDS = [record(number) for number in range(1, 601)]


def write_jsonl(path: Path, records: Records) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(json.dumps(each) + "\n" for each in records).encode()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)


def _as_map(each: Mapping[str, Any]) -> dict[str, Any]:
    index = each["abstract_inverted_index"]
    return {
        **each,
        "abstract_inverted_index": list(index.items()),
        "publication_date": date.fromisoformat(each["publication_date"]),
        "updated_date": datetime.fromisoformat(each["updated_date"]),
    }


def _as_json(each: Mapping[str, Any]) -> dict[str, Any]:
    nested = ("abstract_inverted_index", "topics", "referenced_works", "authorships")
    return {**each, **{name: json.dumps(each[name]) for name in nested}}


def _as_it_is(each: Mapping[str, Any]) -> dict[str, Any]:
    return dict(each)


_MAPS = {(_as_map, "abstract_inverted_index"): pa.map_(pa.string(), pa.list_(pa.int64()))}


def write_parquet(path: Path, records: Records, how: Any = _as_json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [how(each)[name] for each in records] for name in records[0]}
    arrays = {name: pa.array(each, _MAPS.get((how, name))) for name, each in columns.items()}
    table = pa.table(arrays)
    pq.write_table(table, path, compression="snappy", row_group_size=70)


def write_copy(root: Path, ending: str, records: Records = RECORDS, *, n_parts: int = 4) -> None:
    """A copy of the snapshot below `root/works`, with parts of several days."""
    for number in range(n_parts):
        path = root / f"works/updated_date=2026-05-{number + 1:02d}/part_0000{ending}"
        mine = records[number::n_parts]
        (write_parquet if ending == ".parquet" else write_jsonl)(path, mine)


def read(corpus: Corpus, place: object, **options: Any) -> Progress:
    protocol = load(corpus.path / "protocol.toml")
    options = {"engine": PLAIN, "clock": lambda: NOW} | options
    return mine_snapshot(corpus, protocol, str(place), **options)


def rows(corpus: Corpus) -> list[tuple[str, ...]]:
    """All works but for when they were fetched, every part counted."""
    question = "SELECT * EXCLUDE (fetched_at, filename) FROM all_works ORDER BY ALL"
    with corpus.connect() as db:
        return [tuple(map(str, row)) for row in db.sql(question).fetchall()]


def hits(corpus: Corpus) -> set[tuple[str, str]]:
    with corpus.journal() as journal:
        return {(row["work_id"], row["query"]) for row in journal.table("hits").to_pylist()}


def screened(corpus: Corpus, stage: str = "protocol") -> dict[str, tuple[int, str]]:
    table = corpus.table(f"SELECT * FROM screened WHERE stage = '{stage}'")
    return {row["work_id"]: (row["included"], row["reason"]) for row in table.to_pylist()}


def rejects(corpus: Corpus) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((corpus.path / "rejects").glob("*"))
        for line in path.read_text().splitlines()
    ]


def is_open(corpus: Corpus) -> bool:
    with corpus.journal() as journal:
        return None in journal.table("runs")["ended_at"].to_pylist()


def asking(path: Path, *, text: str | None = None, topics: bool = True, more: str = "") -> Corpus:
    protocol = PROTOCOL if topics else re.sub(r"topics = .*\n", "", PROTOCOL)
    if text is not None:
        protocol = protocol.replace("first_year", f"text = '{text}'\nfirst_year")
    return Corpus.create(path, protocol=protocol + more)


# --- the same as over HTTP --------------------------------------------------------------------

QUESTIONS: list[dict[str, Any]] = [
    {},
    {"more": SEEDS},
    {"topics": False, "more": SEEDS},
    {"text": '"on pretraining" NOT transfer'},
    {"text": "pretraini* AND network", "more": SEEDS},
    {"topics": False, "text": '"transfer networks"~2 OR (pretrained AND scan)'},
]


@pytest.mark.parametrize("ending", [".gz", ".jsonl", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_snapshot_brings_what_the_server_brings(
    tmp_path: Path, ending: str, question: dict[str, Any]
) -> None:
    write_copy(tmp_path / "copy", ending)
    local, asked = asking(tmp_path / "1", **question), asking(tmp_path / "2", **question)
    found = read(local, tmp_path / "copy")
    with serve(RECORDS) as (url, _), Pages(Settings(openalex_url=url)) as pages:
        protocol = load(asked.path / "protocol.toml")
        mine(asked, protocol, pages, server=url, clock=lambda: NOW, workers=1)
    assert 5 < found.mined.works < 200
    assert found.records == len(RECORDS)
    assert hits(local) == hits(asked)
    assert screened(local) == screened(asked)
    assert set(rows(local)) == set(rows(asked))
    assert len(rows(local)) == found.mined.works  # a work of two questions is stored once


TEXTS = ['segmentation NOT "deep learning"', "pretrain* OR self-supervised", '"X ray" OR ct']


@pytest.mark.parametrize("text", TEXTS)
def test_real_works_come_as_over_http(tmp_path: Path, shared: Path, text: str) -> None:
    path = shared / "corpus" / "works.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no real papers at {path}")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    records = [json.loads(line) for line in lines]
    local = asking(tmp_path / "1", topics=False, text=text)
    asked = asking(tmp_path / "2", topics=False, text=text)
    found = read(local, path)  # a single part
    with serve(records) as (url, _), Pages(Settings(openalex_url=url)) as pages:
        protocol = load(asked.path / "protocol.toml")
        mine(asked, protocol, pages, server=url, clock=lambda: NOW, workers=1)
    assert 10 < found.mined.works < len(records)
    assert hits(local) == hits(asked)
    assert rows(local) == rows(asked)


@pytest.mark.parametrize("how", [_as_json, _as_map, _as_it_is])
def test_each_way_to_nest_in_parquet_gives_the_same_works(tmp_path: Path, how: Any) -> None:
    # An index as a struct has every word of the part as a field, null where it is absent.
    write_parquet(tmp_path / "p" / "part_0000.parquet", RECORDS, how)
    write_jsonl(tmp_path / "j" / "part_0000.gz", RECORDS)
    one, other = (asking(tmp_path / name, more=SEEDS) for name in ("1", "2"))
    read(one, tmp_path / "p")
    read(other, tmp_path / "j")
    assert rows(one) == rows(other) != []
    assert hits(one) == hits(other)


def test_bare_ids_are_seen(tmp_path: Path) -> None:
    plain = {"type": "article", "language": "en", "publication_date": "2020-01-01"}
    bare = [
        record(10, id="W10", topics=[{"id": "T1"}], referenced_works=["W1"], **plain),
        record(11, id="W11", topics=[{"id": "T2"}], referenced_works=["W900"], **plain),
    ]
    write_jsonl(tmp_path / "j" / "part_0.gz", bare)
    write_parquet(tmp_path / "p" / "part_0.parquet", bare, _as_map)
    for place in ("j", "p"):
        corpus = asking(tmp_path / f"s{place}", more=SEEDS)
        read(corpus, tmp_path / place)
        assert hits(corpus) == {("W10", "search"), ("W11", "cites ImageNet")}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_line_is_left_out_that_answers(tmp_path: Path, question: dict[str, Any]) -> None:
    criteria = Criteria(load(asking(tmp_path, **question).path / "protocol.toml"))
    passed = 0
    for each in RECORDS:
        for separators in ((",", ":"), (", ", ": ")):
            line = json.dumps(each, separators=separators).encode()
            assert criteria.may_match(line) or not criteria.questions(each)
            passed += criteria.may_match(line)
    assert passed < len(RECORDS), "nothing is left out early"


# --- layouts ----------------------------------------------------------------------------------

LAYOUTS = {
    "data/parquet/works": ".parquet",
    "data/jsonl/works": ".gz",
    "data/works": ".gz",
    "parquet/works": ".parquet",
    "jsonl/works": ".jsonl.gz",
    "works": ".gz",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("below", ["", "/updated_date=2026-05-02", "/..", "/../.."])
def test_every_layout_is_found_from_where_one_stands(
    tmp_path: Path, layout: str, below: str
) -> None:
    write_copy(tmp_path / "copy" / Path(layout).parent, LAYOUTS[layout])
    write_jsonl(tmp_path / "copy" / Path(layout).parent / "authors/part_0000.gz", [{"id": "A1"}])
    place = (tmp_path / "copy" / f"{layout}{below}").resolve()
    if place == tmp_path:
        pytest.skip("above the copy")
    names = [part.name for part in release_at(str(place)).parts]
    assert len(names) == (1 if "updated" in below else 4)
    assert all("part_0000" in name for name in names)


def test_parquet_goes_before_json_lines(tmp_path: Path) -> None:
    write_copy(tmp_path / "data/jsonl", ".gz")
    write_copy(tmp_path / "data/parquet", ".parquet")
    assert all(part.is_parquet for part in release_at(str(tmp_path)).parts)


def test_a_place_without_works_says_what_to_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "authors/updated_date=2026-01-01/part_0000.gz", [{"id": "A1"}])
    (tmp_path / "notes.txt").write_text("x")
    for place in (tmp_path, tmp_path / "none", tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=r"no parts of works.*s3://openalex/data"):
            release_at(str(place))
    for place in ("gs://openalex/data", "s3://openalex/data?key=1"):
        with pytest.raises(InputError, match="no s3:// address"):
            release_at(place)


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 9999), st.integers(1, 10**9))
def test_names_of_works_sort_by_the_day_of_change(day: date, number: int, size: int) -> None:
    def part(of: date) -> SnapshotPart:
        name = f"updated_date={of}/part_{number:04d}.gz"
        return SnapshotPart("/x", f"/x/{name}", name, size)

    one, later = part(day), part(day + timedelta(days=1))
    assert one.file_name < later.file_name
    assert one.known_at(NOW) <= later.known_at(NOW) <= max(NOW, later.known_at(NOW))
    assert one.file_name == part(day).file_name
    assert re.fullmatch(r"[\w\-]+", one.file_name)


@given(st.text(max_size=40))
def test_any_name_has_a_day_or_none(name: str) -> None:
    part = SnapshotPart("/x", f"/x/{name}", name, 1)
    assert part.day is None or f"updated_date={part.day}" in name
    assert re.fullmatch(r"[\w\-]+", part.file_name)


def test_an_object_store_is_read_as_anybody(tmp_path: Path) -> None:
    write_copy(tmp_path / "b/data/parquet", ".parquet")
    write_copy(tmp_path / "b/data/jsonl", ".gz")
    (tmp_path / "b/data/parquet/works/deleted_ids.csv").write_text("work_id\nW5000\n")
    far, far_lines, near = (asking(tmp_path / name, more=SEEDS) for name in ("1", "2", "3"))
    near.append(Work, [work("W5000")], name="before")
    far.append(Work, [work("W5000")], name="before")
    with bucket(tmp_path / "b") as store:
        found = read(far, store.place("data"))
        lines = read(far_lines, store.place("data/jsonl/works"))
    read(near, tmp_path / "b" / "data")
    assert found.mined == lines.mined
    assert rows(far) == rows(near)
    assert screened(far, "openalex") == {"W5000": (0, "deleted at OpenAlex")}
    ranges = [each for _, path, each in store.requests if "part_0000.parquet" in path and each]
    assert ranges, "parts are read by ranges"


def test_an_object_store_that_gives_out_is_resumable(tmp_path: Path) -> None:
    write_copy(tmp_path / "b/works", ".gz")
    write_copy(tmp_path / "b", ".gz")
    corpus, undisturbed = survey(tmp_path / "1"), survey(tmp_path / "2")
    with bucket(tmp_path / "b") as store:

        def falls(at: Progress) -> None:
            if at.parts == 2:
                store.is_down.set()

        with pytest.raises(NetworkError, match="the same command continues"):
            read(corpus, store.place("works"), progress=falls)
        with pytest.raises(NetworkError):
            read(corpus, store.place("works"))
        store.is_down.clear()
        assert read(corpus, store.place("works")).parts == 2
    read(undisturbed, tmp_path / "b")
    assert rows(corpus) == rows(undisturbed)


# --- manifest, damage, resume -----------------------------------------------------------------


def manifest(root: Path, *, form: str = "new", **changes: Any) -> None:
    """A manifest of what lies below root/works; changes: name -> (bytes, records) or None."""
    entries = []
    for path in sorted((root / "works").rglob("part*")):
        meta = {"content_length": path.stat().st_size, "record_count": len(RECORDS) // 4}
        entries.append({"url": f"s3://openalex/data/works/{path.relative_to(root / 'works')}"})
        entries[-1]["meta"] = meta | changes.get(path.parent.name[-2:], {})
    if form == "old":
        (root / "works/manifest").write_text(json.dumps({"entries": entries}))
    else:
        of_all = {"works": {"entries": entries}, "authors": {"entries": []}}
        (root / "manifest.json").write_text(json.dumps(of_all))


@pytest.mark.parametrize("form", ["new", "old"])
def test_the_manifest_is_compared_with_what_lies_there(tmp_path: Path, form: str) -> None:
    write_copy(tmp_path, ".gz")
    manifest(tmp_path, form=form)
    whole = release_at(str(tmp_path))
    assert (whole.records, whole.faults) == (len(RECORDS), ())
    (tmp_path / "works/updated_date=2026-05-01/part_0000.gz").unlink()
    write_jsonl(tmp_path / "works/updated_date=2026-04-01/part_0000.gz", [record(15)])
    with (tmp_path / "works/updated_date=2026-05-02/part_0000.gz").open("ab") as file:
        file.write(gzip.compress(b"\n"))
    corpus = survey(tmp_path / "s")
    found = read(corpus, tmp_path)
    told = {row["at"][13:23]: row["reason"] for row in rejects(corpus)}
    assert set(told) == {"2026-05-01", "2026-04-01", "2026-05-02"}
    assert "missing" in told["2026-05-01"]
    assert "another release" in told["2026-04-01"]
    assert "bytes, the manifest says" in told["2026-05-02"]
    assert (found.parts, found.mined.rejects) == (3, 3)
    assert is_open(corpus)


def test_a_part_with_fewer_records_than_the_manifest_says_is_damaged(tmp_path: Path) -> None:
    write_copy(tmp_path, ".gz")
    manifest(tmp_path, **{"03": {"record_count": 151}})
    corpus = survey(tmp_path / "s")
    assert read(corpus, tmp_path).mined.rejects == 1
    assert "150 records, the manifest says 151" in rejects(corpus)[0]["reason"]
    assert is_open(corpus)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _not_it(path: Path) -> None:
    path.write_bytes(b"<html>Be right back</html>" * 100)


def _spoil(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 3 : len(body) // 3 + 200] = bytes(200)
    path.write_bytes(body)


@pytest.mark.parametrize("damage", [_cut, _empty, _not_it, _spoil])
@pytest.mark.parametrize("ending", [".gz", ".parquet"])
def test_a_damaged_part_is_told_and_the_others_are_taken(
    tmp_path: Path, ending: str, damage: Any
) -> None:
    write_copy(tmp_path / "c", ending)
    corpus, whole = survey(tmp_path / "1"), survey(tmp_path / "2")
    read(whole, tmp_path / "c")
    bad = tmp_path / f"c/works/updated_date=2026-05-02/part_0000{ending}"
    good = bad.read_bytes()
    damage(bad)
    found = read(corpus, tmp_path / "c")
    told = [row for row in rejects(corpus) if row["record"] is None]
    assert any(
        "2026-05-02" in row["at"] and "fetch the part again" in row["reason"] for row in told
    )
    assert found.parts == 4
    others = {row for row in rows(whole) if int(row[0][1:]) % 4 != 2}
    assert others <= set(rows(corpus))
    assert is_open(corpus)
    bad.write_bytes(good)  # fetched again
    assert read(corpus, tmp_path / "c").parts == 1
    assert set(rows(corpus)) == set(rows(whole))
    assert not is_open(corpus)


def test_bad_records_are_set_aside_with_their_place(tmp_path: Path) -> None:
    good = record(10)
    path = tmp_path / "c/part_0000.gz"
    lines = [
        json.dumps(good),
        json.dumps(record(10, id="W11", publication_year="soon")),
        json.dumps(record(10, id="W12"))[:200],
        json.dumps(record(10, id="W13", topics=[{"id": "https://openalex.org/T1"}, 7])),
        json.dumps(record(10, id="X")),
    ]
    path.parent.mkdir()
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    corpus = survey(tmp_path / "s")
    found = read(corpus, tmp_path / "c")
    assert found.mined == Mined(1, 0, 4)
    assert found.records == 5
    assert [row["at"] for row in rejects(corpus)] == [
        f"part_0000.gz, line {n}" for n in range(2, 6)
    ]
    assert hits(corpus) == {("W10", "search")}
    assert not is_open(corpus)  # the part itself is whole


def test_a_parquet_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    pq.write_table(pa.table({"id": ["A1"]}), tmp_path / "c/part_0000.parquet")
    corpus = survey(tmp_path / "s")
    assert read(corpus, tmp_path / "c").mined.rejects == 1
    assert "no column language, publication_date" in rejects(corpus)[0]["reason"]


def test_parts_that_were_read_are_not_read_again_unless_told(tmp_path: Path) -> None:
    write_copy(tmp_path / "c", ".gz")
    corpus = survey(tmp_path / "s")
    assert read(corpus, tmp_path / "c").parts == 4
    before = rows(corpus)
    assert read(corpus, tmp_path / "c") == Progress(0, 0, 0, 0, 0, Mined())
    write_jsonl(tmp_path / "c/works/updated_date=2026-08-01/part_0000.gz", [record(1000 + 5)])
    assert read(corpus, tmp_path / "c").parts == 1
    again = read(corpus, tmp_path / "c", again=True, clock=lambda: NOW + timedelta(1))
    assert again.parts == 5
    assert len(set(rows(corpus))) in (len(before), len(before) + 1)
    assert len(list(corpus.works())) == len(set(rows(corpus)))


def test_a_stopped_run_again_reads_only_what_is_left(tmp_path: Path) -> None:
    write_copy(tmp_path / "c", ".gz")
    corpus = survey(tmp_path / "s")
    read(corpus, tmp_path / "c")

    def stops(at: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(corpus, tmp_path / "c", again=True, progress=stops)
    assert read(corpus, tmp_path / "c", again=True).parts == 3


def test_the_newest_change_of_a_work_wins(tmp_path: Path) -> None:
    days = ["2026-03-01", "2026-05-01", "2026-04-01"]
    for day in days:
        one = record(10, title=f"As of {day}", updated_date=f"{day}T09:00:00")
        write_jsonl(tmp_path / f"c/works/updated_date={day}/part_0000.gz", [one])
    corpus = survey(tmp_path / "s")
    asked = datetime(2026, 4, 15, tzinfo=UTC)  # over HTTP, between two of these changes
    corpus.append(Work, [work("W10", title="Asked", fetched_at=asked)], name="zzz-asked")
    read(corpus, tmp_path / "c")
    assert [each.title for each in corpus.works()] == ["As of 2026-05-01"]
    later = datetime(2026, 5, 20, tzinfo=UTC)
    corpus.append(Work, [work("W10", title="Asked later", fetched_at=later)], name="a-later")
    assert [each.title for each in corpus.works()] == ["Asked later"]


def test_deleted_and_merged_works_leave_the_survey(tmp_path: Path) -> None:
    write_copy(tmp_path / "data/jsonl", ".gz")
    here = next(iter(sorted(work_ids(tmp_path / "probe", tmp_path / "data"))))
    corpus = survey(tmp_path / "s")
    corpus.append(Work, [work(f"W{n}") for n in (7001, 7002, 7003, 7004)], name="before")
    with corpus.journal() as journal:
        journal.screen("openalex", [(here, False, "deleted at OpenAlex")], now=NOW)
    works = tmp_path / "data/jsonl/works"
    # A work that lies in the snapshot is not gone, whatever an old list says.
    works.joinpath("deleted_ids.csv").write_text(f"id,deleted\nW7001,2026-08-01\n{here},2024\n")
    merged = tmp_path / "legacy-data/merged_ids/works"
    merged.mkdir(parents=True)
    url = "https://openalex.org/"
    body = f"merge_date,id,merge_into_id\n2022-01-01,{url}W7002,{url}W1\n2022-01-01,W9999999,W2\n"
    merged.joinpath("2022-01-01.csv.gz").write_bytes(gzip.compress(body.encode()))
    read(corpus, tmp_path)
    assert screened(corpus, "openalex") == {
        "W7001": (0, "deleted at OpenAlex"),
        "W7002": (0, "merged into W1"),
        here: (1, "at OpenAlex again"),
    }


def work_ids(path: Path, place: Path) -> set[str]:
    corpus = survey(path)
    read(corpus, place)
    return {each.id for each in corpus.works()}


def test_a_text_that_cannot_be_asked_stops_before_anything_is_read(tmp_path: Path) -> None:
    write_copy(tmp_path / "c", ".gz")
    corpus = asking(tmp_path / "s", text="radiomics~1")
    with pytest.raises(InputError, match="fuzzy"):
        read(corpus, tmp_path / "c")
    assert not (corpus.path / "works").exists()


def many_parts(root: Path, n_parts: int = 30) -> None:
    """Parts that take some 20 ms each, all of their works asked for."""
    rng = random.Random(1)
    for number in range(n_parts):
        each = [
            record(
                number * 200 + k,
                topics=[{"id": "https://openalex.org/T1"}],
                title=" ".join(str(rng.random()) for _ in range(20)),
                publication_date="2020-01-01",
                type="article",
                language="en",
                is_xpac=False,
            )
            for k in range(200)
        ]
        write_jsonl(root / f"works/updated_date=2026-05-01/part_{number:04d}.gz", each)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_while_a_snapshot_is_read_loses_and_doubles_nothing(
    tmp_path: Path, workers: str
) -> None:
    many_parts(tmp_path / "c")
    corpus, undisturbed = survey(tmp_path / "1"), survey(tmp_path / "2")
    read(undisturbed, tmp_path / "c")
    command = [sys.executable, "-m", "cats", "mine", "-C", str(corpus.path)]
    command += ["--snapshot", str(tmp_path / "c"), "--workers", workers]
    kills = 0
    for n_files in (1, 7, 19):
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while child.poll() is None and n_written(corpus) < n_files:
            time.sleep(0.002)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.wait()
    assert kills == 3
    assert 0 < len(rows(corpus)) < len(rows(undisturbed))
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    assert rows(corpus) == rows(undisturbed)
    assert hits(corpus) == hits(undisturbed)
    assert screened(corpus) == screened(undisturbed)
    with corpus.journal() as journal:
        assert journal.table("runs").num_rows == 1


def n_written(corpus: Corpus) -> int:
    return len(list((corpus.path / "works").glob("[!.]*.parquet")))


# --- engines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["local", "dask"])
def test_two_workers_leave_the_same_rows(tmp_path: Path, kind: Any) -> None:
    if kind == "dask":
        pytest.importorskip("distributed", reason="Dask is an extra")
    write_copy(tmp_path / "c", ".parquet")
    alone, together = (asking(tmp_path / name, more=SEEDS) for name in ("1", "2"))
    one = read(alone, tmp_path / "c")
    two = read(together, tmp_path / "c", engine=Engine(kind, workers=2))
    assert (one.mined, one.records) == (two.mined, two.records)
    assert rows(alone) == rows(together)
    assert hits(alone) == hits(together)
    assert screened(alone) == screened(together)


def test_a_running_scheduler_is_used(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    write_copy(tmp_path / "c", ".gz")
    corpus = survey(tmp_path / "s")
    with no_main():  # which a test of the pages may have left behind
        started = distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
        )
    with started as cluster:
        at = cluster.scheduler_address
        engine = Engine("dask", scheduler=at)
        assert read(corpus, tmp_path / "c", engine=engine).parts == 4
        assert cluster.scheduler.transition_log, "nothing went through the scheduler"


def test_a_scheduler_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="Dask is an extra")
    monkeypatch.setattr("data.engines._PATIENCE_S", 1)
    write_copy(tmp_path / "c", ".gz")
    engine = Engine("dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(NetworkError, match="no Dask scheduler answers"):
        read(survey(tmp_path / "s"), tmp_path / "c", engine=engine)
    with pytest.raises(InputError, match="goes with --engine dask"):
        Engine("local", scheduler="tcp://127.0.0.1:9")


def test_without_dask_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    write_copy(tmp_path / "c", ".gz")
    with pytest.raises(InputError, match=r"pip install 'cats-toolkit\[cluster\]'"):
        read(survey(tmp_path / "s"), tmp_path / "c", engine=Engine("dask"))


def test_a_process_that_is_ended_stops_the_run_resumably() -> None:
    with pytest.raises(StoppedError, match="the same command continues"):
        list(Engine(workers=2).mapped(os._exit, [9, 9]))


# --- the command ------------------------------------------------------------------------------


def cats(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cats", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_command_reads_tells_and_lists_what_is_damaged(tmp_path: Path) -> None:
    write_copy(tmp_path / "c", ".gz")
    corpus, place = survey(tmp_path / "s"), str(tmp_path / "c")
    _cut(tmp_path / "c/works/updated_date=2026-05-03/part_0000.gz")
    partial = cats("mine", "-C", str(corpus.path), "--snapshot", place)
    assert partial.returncode == 4, partial.stderr
    assert str(corpus.path / "rejects") in partial.stderr
    assert "4 of 4 parts" in partial.stderr
    write_copy(tmp_path / "c", ".gz")
    done = cats("mine", "-C", str(corpus.path), "--snapshot", place, "--json")
    assert (done.returncode, "1 of 1 parts" in done.stderr) == (0, True)
    assert json.loads(done.stdout)["works"] > 0
    again = cats("mine", "-C", str(corpus.path), "--snapshot", place)
    assert "--again reads them anew" in again.stderr
    both = cats("mine", "-C", str(corpus.path), "--snapshot", place, "--update")
    assert (both.returncode, "give one" in both.stderr) == (3, True)


def test_the_plan_judges_by_one_part(tmp_path: Path) -> None:
    write_copy(tmp_path / "c", ".gz")
    corpus = survey(tmp_path / "s")
    ticks = iter([0.0, 2.0])
    protocol = load(corpus.path / "protocol.toml")
    plan = snapshot_plan(protocol, str(tmp_path / "c"), workers=2, seconds=lambda: next(ticks))
    assert (plan.parts, plan.workers, plan.records_per_s) == (4, 2, 75.0)
    assert plan.records == pytest.approx(len(RECORDS), rel=0.05)
    found = read(corpus, tmp_path / "c").mined.works
    assert plan.works == pytest.approx(found, rel=0.6)
    assert plan.hours == pytest.approx(4 * 2.0 / 2 / 3600, rel=0.1, abs=1e-3)
    shown = cats("plan", "-C", str(corpus.path), "--snapshot", str(tmp_path / "c"), "--json")
    assert json.loads(shown.stdout)["parts"] == 4
    assert n_written(corpus) == len(list((corpus.path / "works").iterdir()))


def test_a_release_knows_its_size(tmp_path: Path) -> None:
    write_copy(tmp_path, ".gz")
    release = release_at(str(tmp_path))
    assert isinstance(release, Release)
    assert release.size == sum(path.stat().st_size for path in tmp_path.rglob("part*"))
    assert release.records is None
    sizes = [part.size for part in release.parts]
    assert sizes == sorted(sizes, reverse=True)


def test_wide_columns_are_not_unpacked_where_no_row_is_asked_for(tmp_path: Path) -> None:
    # The abstracts of this part are no JSON: whoever unpacks them gets a reject.
    broken = [_as_json(each) | {"abstract_inverted_index": "{broken"} for each in RECORDS]
    (tmp_path / "c").mkdir()
    pq.write_table(pa.Table.from_pylist(broken), tmp_path / "c/part_0000.parquet")
    protocol = load(survey(tmp_path / "s").path / "protocol.toml")
    (part,) = release_at(str(tmp_path / "c")).parts
    reading = Reading(part, Criteria(protocol))
    found = list(reading)
    asked = sum(bool(Criteria(protocol).questions(each)) for each in RECORDS)
    assert len(found) == asked < len(RECORDS) == reading.n_records
