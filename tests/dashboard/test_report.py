"""The report: what it says is what `cats trends` says, and nothing in it loads or runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, decision, survey, use, work
from lxml import html as lxml_html
from served import CHROMIUM
from typer.testing import CliRunner

import cats as command_line
from annotate.sampling import draw
from dashboard.demo import protocol_text
from dashboard.report import chromium
from dashboard.report.document import link, text
from dashboard.report.write import write
from data.corpus import Corpus
from data.errors import InputError
from data.exchange import export_decisions, import_decisions
from data.publish import publish
from data.records import Decision
from data.release import check, release
from data.sample import LABEL, TRUTH, WORKS

SECTIONS = (
    "What the survey says",
    "Question and papers",
    "Which sources are used",
    "How that changed",
    "Medical or natural images",
    "Named or implied",
    "Concentration",
    "From source to target",
    "What papers leave unsaid: an audit of reporting",
    "How sure this is",
    "What this cannot tell",
    "How to cite, and how to make it again",
)
EVIL = "<script>alert(1)</script> & <b>bold</b>"
NOTE = "A sentence that a reviewer copied from somebody's abstract."


def cats(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cats", *arguments], check=True, capture_output=True)


def sampled(path: Path) -> Corpus:
    """The embedded sample, annotated, with a gold sample drawn."""
    corpus = Corpus.create(path, protocol=protocol_text())
    cats("mine", "--from", str(WORKS), "-C", str(path))
    cats("annotate", "-C", str(path))
    draw(corpus, n=120, seed=2026, now=NOW)
    return corpus


def readings(corpus: Corpus) -> Iterator[Decision]:
    """What two readers say of the gold papers: the truth, but that the second overlooks some."""
    lines = [json.loads(line) for line in TRUTH.read_text(encoding="utf-8").splitlines()]
    truth = {line["id"]: line["uses"] for line in lines}
    with corpus.journal_as_it_is() as journal:
        works = journal.sample()["work_id"].to_pylist()
    plain: dict[str, Any] = {
        "proposed_dataset": None,
        "proposed_role": None,
        "queue": "gold",
        "blind": True,
    }
    for number, work_id in enumerate(works):
        for who in ("A", "B"):
            own = plain | {"work_id": work_id, "reviewer": who}
            seen = truth.get(work_id, [])
            for place, found in enumerate(seen[1:] if who == "B" and number % 9 == 0 else seen):
                uid = f"{work_id}-{who}-{place}"
                yield decision(
                    uid, "add", dataset=found["dataset"], role=found["role"], note=NOTE, **own
                )
            yield decision(f"{work_id}-{who}", "done", **own)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    made = sampled(tmp_path_factory.mktemp("survey") / "s")
    with made.journal() as journal:
        journal.decide(readings(made))
    return made


@pytest.fixture(scope="module")
def page(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(corpus, tmp_path_factory.mktemp("report"))


def written(corpus: Corpus, folder: Path) -> str:
    write(corpus, folder / "report.html", version="0.1.0")
    return (folder / "report.html").read_text(encoding="utf-8")


def rows_of(page: str, caption: str) -> list[list[str]]:
    """The cells of the table whose caption begins so."""
    for table in lxml_html.fromstring(page.encode()).iter("table"):
        told = table.find("caption").text_content()
        if told.startswith(caption):
            return [[cell.text_content() for cell in row] for row in table.iter("tr")][1:]
    raise AssertionError(f"no table of {caption!r}")


def trends(corpus: Corpus, *words: str) -> list[dict[str, Any]]:
    asked = [*words, "--text", "abstract", "--json", "-C", str(corpus.path)]
    done = CliRunner().invoke(command_line._command_line(), ["trends", *asked])
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def percent(row: dict[str, Any], name: str) -> str:
    names = (name, "low", "high") if name == "share" else (name, f"{name}_low", f"{name}_high")
    if row[name] is None:
        return "–"
    value, low, high = (f"{100 * row[each]:.1f}" for each in names)
    return f"{value} [{low}, {high}]"


def test_every_section_is_there_and_has_content(page: str) -> None:
    parts = lxml_html.fromstring(page.encode()).findall(".//section")
    assert tuple(part.find("h2").text_content() for part in parts) == SECTIONS
    assert all(len(part.text_content()) > 200 for part in parts)
    assert page.count("<svg") == page.count("<figcaption") == 6
    assert page.count("n = ") >= 5
    assert page.count(LABEL) >= 6  # in every figure that counts, and in the head


def test_its_numbers_are_those_of_cats_trends(corpus: Corpus, page: str) -> None:
    asked = trends(corpus, "--by", "all", "--top", "15")
    assert any(row["corrected"] is not None for row in asked)
    told = [
        [
            row["dataset"],
            f"{row['n']:,}",
            f"{row['n_papers']:,}",
            percent(row, "share"),
            percent(row, "corrected"),
            f"{row['n_gold']:,}",
        ]
        for row in asked
    ]
    assert rows_of(page, "Most used sources, of all papers.") == told
    by_year = {
        (row["group"], row["dataset"]): row for row in trends(corpus, "--by", "year", "--top", "6")
    }
    for year, n_papers, first, *_ in rows_of(page, "Share of the year's papers that use each"):
        row = by_year[year, asked[0]["dataset"]]
        corrected = "" if row["corrected"] is None else percent(row, "corrected")
        assert (n_papers, first) == (f"{row['n_papers']:,}", percent(row, "share") + corrected)


def test_its_findings_are_those_of_cats_trends(corpus: Corpus, page: str) -> None:
    shown = lxml_html.fromstring(page.encode()).find(".//ol[@class='findings']").text_content()
    found = trends(corpus, "findings")
    assert len(found) == 5
    for finding in found:
        assert finding["sentence"] in shown


def test_the_audit_counts_and_lists_what_papers_leave_unsaid(corpus: Corpus, page: str) -> None:
    naming = trends(corpus, "--by", "all", "--of", "naming", "--among", "transfer")
    unnamed = trends(corpus, "--by", "all", "--of", "unnamed", "--among", "transfer")
    implied = next(row for row in naming if row["dataset"] == "implied only")
    told = {row[0]: row[1:4] for row in rows_of(page, "Papers with a source that do not name it")}
    assert set(told) == {"implied only", *(row["dataset"] for row in unnamed)}
    for row in (implied, *unnamed):
        assert told[row["dataset"]] == [
            f"{row['n']:,}",
            f"{row['n_papers']:,}",
            percent(row, "share"),
        ]
    listed = re.search(r"The ([\d,]+) papers with a source that they do not name", page)
    assert listed is not None
    n = int(listed[1].replace(",", ""))
    assert implied["n"] <= n <= implied["n"] + sum(row["n"] for row in unnamed)
    surfaces = {made.surface for made in corpus.uses()} | {"(a reviewer added it)"}
    for _, _, _, said, _ in rows_of(page, f"The {listed[1]} papers"):
        assert set(said.split("; ")) <= surfaces


def test_the_audit_tells_weights_of_unknown_data_from_a_known_model(tmp_path: Path) -> None:
    works = [work(f"W{n}", title=f"Paper {n}", year=2020 + n) for n in range(4)]
    uses = [
        use("W0", "unspecified", implied=True, surface="pretrained weights"),
        use("W1", implied=True, surface="a pretrained ResNet"),
        use("W2"),
        use("W3", "unspecified", implied=True, surface="pre-trained"),
        use("W3", "CheXpert"),
    ]
    page = written(survey(tmp_path / "s", works, uses), tmp_path)
    told = {row[0]: row[1:3] for row in rows_of(page, "Papers with a source that do not name it")}
    assert told == {"implied only": ["2", "4"], "unnamed": ["2", "4"]}
    listed = rows_of(page, "The 3 papers with a source that they do not name")
    assert [(row[1], row[3], row[4]) for row in listed] == [
        ("Paper 3", "pre-trained", "not told"),
        ("Paper 1", "a pretrained ResNet", "ImageNet"),
        ("Paper 0", "pretrained weights", "not told"),
    ]


def test_it_says_how_sure_it_is(page: str) -> None:
    assert "120 of them were read whole and blind by two reviewers (A, B)" in page
    quality = {row[0]: row for row in rows_of(page, "The annotator beside the gold papers")}
    assert set(quality) == {"source", "target", "mention"}
    assert all(re.fullmatch(r"[01]\.\d\d \[.*\]|–", cell) for cell in quality["source"][5:])
    kappa = {row[0]: row[4] for row in rows_of(page, "How far reviewers agree")}
    assert re.fullmatch(
        r"0\.\d\d \[0\.\d\d, [01]\.\d\d\]", kappa["role of a dataset, gold (blind)"]
    )
    assert len(rows_of(page, "Each finding, were the line drawn at another score")) == 5


def test_without_gold_papers_it_says_that_nothing_is_corrected(tmp_path: Path) -> None:
    page = written(survey(tmp_path / "s", [work()], [use()]), tmp_path)
    assert "No two reviewers have read papers of a random sample" in page
    assert "corrected, %" not in page
    assert "Not corrected here: no gold labels." in page


def test_it_loads_nothing_and_runs_nothing(page: str) -> None:
    tree = lxml_html.fromstring(page.encode())
    assert {element.tag for element in tree.iter() if isinstance(element.tag, str)}.isdisjoint(
        {"script", "img", "link", "iframe", "object", "embed", "base", "form"}
    )
    assert not tree.xpath("//@src | //@*[starts-with(name(), 'on')]")
    assert not re.search(r"@import|url\((?!#)", page)
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    for way in tree.iterfind(".//a"):
        address = way.get("href")
        is_of_paper = way.getparent().tag == "td" and address.startswith("https://")
        assert is_of_paper or (
            address.startswith("#") and tree.find(f".//*[@id='{address[1:]}']") is not None
        )


def test_words_of_papers_are_shown_as_text(tmp_path: Path) -> None:
    address = "javascript:alert(1)"
    works = [
        work("W1", title=EVIL, venue=EVIL, oa_url=address),
        work("W2", doi='10.1/"><script>'),
    ]
    uses = [
        use(each.id, implied=True, surface=EVIL, end=len(EVIL), dataset="unspecified")
        for each in works
    ]
    page = written(survey(tmp_path / "s", works, [*uses, use("W1", dataset=EVIL)]), tmp_path)
    assert "<script" not in page
    assert "<b>" not in page
    assert address not in page
    titles = [row[1] for row in rows_of(page, "The 2 papers with a source")]
    assert sorted(titles) == [EVIL, "A title"]
    assert 'href="https://doi.org/10.1/%22%3E%3Cscript%3E"' in page


def test_only_addresses_of_the_web_are_links() -> None:
    for address in (None, "javascript:alert(1)", "data:text/html,x", "//x.org", " https://x.org"):
        assert link(address, EVIL) == text(EVIL)
    assert link("HTTPS://x.org/a b", "x") == '<a href="HTTPS://x.org/a%20b" rel="noopener">x</a>'


def test_the_same_survey_gives_the_same_bytes_wherever_it_lies(
    corpus: Corpus, page: str, tmp_path: Path
) -> None:
    shutil.copytree(corpus.path, tmp_path / "elsewhere")
    assert written(Corpus(tmp_path / "elsewhere"), tmp_path) == page


def test_a_copy_without_text_gives_the_same_report_and_no_note(
    corpus: Corpus, page: str, tmp_path: Path
) -> None:
    publish(corpus, tmp_path / "given")
    given = Corpus(tmp_path / "given")
    assert written(given, tmp_path) == page
    export_decisions(given, tmp_path / "given" / "decisions.jsonl")
    for path in (tmp_path / "given").rglob("*"):
        assert not path.is_file() or NOTE.encode() not in path.read_bytes(), path.name


def test_decisions_brought_to_a_fresh_survey_with_the_same_draw_correct_alike(
    corpus: Corpus, tmp_path: Path
) -> None:
    fresh = sampled(tmp_path / "fresh")
    assert trends(fresh, "--by", "all", "--top", "15")[0]["corrected"] is None
    export_decisions(corpus, tmp_path / "decisions.jsonl")
    import_decisions(fresh, tmp_path / "decisions.jsonl", now=NOW)
    with corpus.journal_as_it_is() as one, fresh.journal_as_it_is() as other:
        assert one.frame() == other.frame()
        assert one.sample() == other.sample()
    for words in (["--by", "all", "--top", "15"], ["--by", "year"], ["findings"]):
        assert trends(fresh, *words) == trends(corpus, *words)


def test_the_command_writes_it_whole_or_says_why_not(corpus: Corpus, tmp_path: Path) -> None:
    cats("report", str(tmp_path / "r.html"), "-C", str(corpus.path), "--text", "together")
    assert "--text together" in (tmp_path / "r.html").read_text(encoding="utf-8")
    for name, fault in (("r.docx", r"\.html or \.pdf"), ("no/r.html", "does not exist")):
        with pytest.raises(InputError, match=fault):
            write(corpus, tmp_path / name, version="0.1.0")
    with pytest.raises(InputError, match="no paper is annotated yet"):
        write(survey(tmp_path / "empty"), tmp_path / "e.html", version="0.1.0")
    assert [path.name for path in tmp_path.glob("*.*")] == ["r.html"]


def test_a_release_has_a_report_that_names_it_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", [work()], [use()])
    done = release(corpus, tmp_path / "release", now=NOW, version="0.1.0")
    page = written(Corpus(tmp_path / "release"), tmp_path)
    assert page.count(done.id) == 4  # at the head, in the citation, twice in its BibTeX
    assert check(tmp_path / "release") == done.id


def test_no_extra_package_is_needed(tmp_path: Path) -> None:
    survey(tmp_path / "s", [work()], [use()])
    arguments = ["cats", "report", str(tmp_path / "r.html"), "-C", str(tmp_path / "s")]
    script = (
        "import sys\n"
        "for name in ('streamlit', 'plotly', 'torch', 'sklearn', 'lxml', 'pypdfium2'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = {arguments!r}\n"
        "import cats\ncats.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (tmp_path / "r.html").is_file(), done.stderr


def test_a_survey_without_any_source_has_a_report(tmp_path: Path) -> None:
    page = written(survey(tmp_path / "s", [work(), work("W2", year=None)], []), tmp_path)
    for section in SECTIONS:
        assert section in page
    assert "No paper here has a named or implied source." in page


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: install chromium")
def test_a_pdf_is_printed_by_chromium_and_does_not_hang_on_today(
    corpus: Corpus, tmp_path: Path
) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    for name in ("a.pdf", "b.pdf"):
        write(corpus, tmp_path / name, version="0.1.0")
        time.sleep(1)  # the browser's own dates are in seconds
    body = (tmp_path / "a.pdf").read_bytes()
    assert body.startswith(b"%PDF")
    assert body == (tmp_path / "b.pdf").read_bytes()
    document = pdfium.PdfDocument(body)
    assert len(document) > 3
    words = "".join(document[n].get_textpage().get_text_range() for n in range(len(document)))
    for section in SECTIONS:
        assert section in " ".join(words.split())
    document.close()


def fake(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is found as Chromium and nothing else is."""
    folder.mkdir()
    (folder / "chromium").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")


def test_without_chromium_it_says_what_to_install(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "_APPLICATIONS", ())
    with pytest.raises(InputError, match="apt-get install chromium"):
        write(corpus, tmp_path / "r.pdf", version="0.1.0")
    assert not list(tmp_path.iterdir())


def test_a_browser_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "bin", f"sleep 600 & echo $! > {tmp_path}/child; wait", monkeypatch)
    with pytest.raises(InputError, match="did not print within 1 s"):
        chromium.printed(b"<p>x", day=date(2026, 1, 1), timeout_s=1)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    end = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < end, "what the browser started is still there"
        time.sleep(0.05)


def test_a_browser_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "echo no usable sandbox >&2; exit 1", monkeypatch)
    with pytest.raises(InputError, match=r"printed no PDF.*no usable sandbox"):
        chromium.printed(b"<p>x", day=date(2026, 1, 1))
