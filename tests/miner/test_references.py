import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from miner.openalex import parse_work
from miner.parts import Unreadable
from miner.references import KINDS, Kind, Reference, kind_of, read_list, references

RIS = """TY  - JOUR
TI  - Transfer learning for
  chest X-rays
AU  - Müller, J.
AU  - Lee, Ann
PY  - 2019/05/01
DO  - https://doi.org/10.1000/ABC
AB  - A CNN
NN - is a network
ER  -

TY  - CONF
T1  - No end mark
UR  - https://arxiv.org/abs/2101.00001v3
"""
BIB = r"""% Encoding: UTF-8
@article{a, title = {{T}ransfer {\"o}f M\"obius {\ss}trips, 10\% more},
  author = "M{\"u}ller, J. and Lee, Ann",
  year = 2020, doi = {10.1000/a\_b}}
@inproceedings{b, title = {Twice}, title = {Two titles}, eprint = {2101.00001v2},
  archivePrefix = {arXiv}, date = {2021-05}}
@article{a, title = {The key a again}, url = {https://doi.org/10.1000/c}}
@article{open, title = {Never closed, year = 2020
@book{last, title = {Last}}
"""
NBIB = """PMID- 12345
OWN - NLM
TI  - A title that is wrapped
      over two lines.
LID - S0895(20)1 [pii]
LID - 10.1000/ABC [doi]
FAU - Smith, John
AU  - Smith J
DP  - 2020 Jan 5
AB  - BACKGROUND: Words
      and more.

PMID- 12346
TI  - Another
"""


def parsed(text: str, kind: Kind) -> list[Reference]:
    return [said for _, said in references(text, kind) if isinstance(said, Reference)]


def test_ris_with_wrapped_lines_addresses_and_no_end() -> None:
    first, second = parsed(RIS, "ris")
    assert first == Reference(
        doi="10.1000/abc",
        title="Transfer learning for chest X-rays",
        year=2019,
        authors=("Müller, J.", "Lee, Ann"),
        abstract="A CNN NN - is a network",
    )
    assert second == Reference(arxiv="2101.00001", title="No end mark")


def test_bibtex_with_accents_doubles_and_a_broken_entry() -> None:
    found = list(references(BIB, "bib"))
    assert [place for place, _ in found] == ["line 2", "line 5", "line 7", "line 8", "line 9"]
    first, second, third, broken, last = (said for _, said in found)
    assert first == Reference(
        doi="10.1000/a_b",
        title="Transfer öf Möbius ßtrips, 10% more",
        year=2020,
        authors=("Müller, J.", "Lee, Ann"),
    )
    assert second == Reference(arxiv="2101.00001", title="Twice", year=2021)
    assert third == Reference(doi="10.1000/c", title="The key a again")
    assert isinstance(broken, Unreadable)
    assert "closing `}`" in broken.reason
    assert last == Reference(title="Last")


def test_nbib_with_wrapped_lines_and_marked_ids() -> None:
    first, second = parsed(NBIB, "nbib")
    assert first == Reference(
        doi="10.1000/abc",
        pmid="12345",
        title="A title that is wrapped over two lines.",
        year=2020,
        authors=("Smith, John",),
        abstract="BACKGROUND: Words and more.",
    )
    assert second.names == ("pmid:12346",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1000/a\nhttps://doi.org/10.1000/B\n", ["10.1000/a", "10.1000/b"]),
        ("Title;DOI;Year\nA;10.1000/a;2020\n", ["10.1000/a"]),
        ("Authors\tTI\tDI\nA\tB\tdoi:10.1000/a\n", ["10.1000/a"]),
        ('title,doi\n"a ""b""\nc",10.1000/a\n', ["10.1000/a"]),
        ("\ufeffDOI\n10.1000/a.\n", ["10.1000/a"]),
        ("note,doi\n,10.1002/(SICI)1097(1998)17:15<1661::AID-SIM968>3.0.CO;2-2\n",
         ["10.1002/(sici)1097(1998)17:15<1661::aid-sim968>3.0.co;2-2"]),
        ("title,PubMed ID\nA,123.0\n", [None]),
    ],
)  # fmt: skip
def test_tables_of_many_programs(text: str, expected: list[str | None]) -> None:
    assert [reference.doi for reference in parsed(text, "csv")] == expected


def test_what_names_no_paper_is_set_aside_with_its_line() -> None:
    (first, said), _ = references("doi,title\n,\nnone,\n10.1000/a,\n", "csv")
    assert first == "line 3"
    assert isinstance(said, Unreadable)
    (_, _), (place, cut) = references('doi\n10.1000/a\n"10.1000/b\n', "csv")
    assert (place, cut) == ("line 3", Unreadable("not CSV: unexpected end of data"))


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("x.ris", RIS.encode(), "ris"),
        ("x.txt", b"\xef\xbb\xbf" + RIS.encode(), "ris"),
        ("x.txt", RIS.encode("utf-16"), "ris"),
        ("x.txt", RIS.replace("\n", "\r\n").encode("latin-1"), "ris"),
        ("x.ris", BIB.encode(), "bib"),
        ("pubmed.txt", NBIB.encode(), "nbib"),
        ("x.csv", b"a,b\n1,2\n", "csv"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), "csv"),
        ("dois.txt", b"10.1000/a\n", "csv"),
        ("x.csv", b'{"id": "W1"}', None),
        ("works.jsonl", b'{"id": "W1"}', None),
        ("works.jsonl", b"not json", None),
    ],
)
def test_content_tells_the_kind_before_the_ending(
    tmp_path: Path, name: str, body: bytes, kind: Kind | None
) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    assert kind_of(path) == kind
    if kind == "ris":
        (_, first), _ = read_list(path, kind)
        assert isinstance(first, Reference)
        assert first.authors[0] == "Müller, J."


def test_a_head_that_ends_within_a_letter_is_still_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for shift in range(4):
        path.write_bytes(b"TY  - JOUR\nTI  - " + b"a" * shift + "ü".encode() * 40_000)
        assert kind_of(path) == "ris"


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.ris"
    with pytest.raises(InputError, match="cannot be read"):
        kind_of(path)
    path.write_text("nothing")
    with pytest.raises(InputError, match="no reference"):
        list(read_list(path, "ris"))
    path.write_bytes(gzip.compress(RIS.encode() * 99)[:-20])
    with pytest.raises(InputError, match="damaged"):
        list(read_list(path, "ris"))


@given(st.sampled_from(KINDS), st.text())
def test_any_text_gives_entries(kind: Kind, text: str) -> None:
    for place, said in references(text, kind):
        assert place
        assert isinstance(said, Reference | Unreadable)


MARKS = ["TY  - JOUR", "PMID- 1", "@a{b,", "}", '"', "TI  - ", "doi,title", "10.1000/a", "\\", "{"]


@given(st.sampled_from(KINDS), st.lists(st.sampled_from([*MARKS, "\n", ",", "=", " x "])))
def test_any_text_of_their_marks_gives_entries(kind: Kind, pieces: list[str]) -> None:
    for _, said in references("".join(pieces), kind):
        if isinstance(said, Reference):
            assert said.names or said.title
            assert parse_work(said.as_record(), fetched_at=None).id == said.local_id  # type: ignore[arg-type]


words = st.text("abcé ßÅ0-", min_size=1, max_size=40).map(lambda s: f"a {' '.join(s.split())}b")
suffix = st.text("abcXYZ0123456789._-()/", min_size=1, max_size=20)
dois = suffix.map(lambda s: f"10.1000/{s}x")
written = st.builds(
    Reference,
    doi=dois.map(str.lower),
    pmid=st.integers(1, 10**8).map(str),
    title=words,
    year=st.integers(1900, 2099),
    authors=st.lists(words.map(lambda s: f"{s}, J."), min_size=1, max_size=3).map(tuple),
)


def text_of(reference: Reference, kind: Kind) -> str:
    r = reference
    if kind == "ris":
        names = "".join(f"AU  - {name}\n" for name in r.authors)
        return f"TY  - JOUR\nTI  - {r.title}\n{names}PY  - {r.year}\nDO  - {r.doi}\n" + (
            f"UR  - https://pubmed.ncbi.nlm.nih.gov/{r.pmid}\nER  - \n"
        )
    if kind == "nbib":
        names = "".join(f"FAU - {name}\n" for name in r.authors)
        return f"PMID- {r.pmid}\nTI  - {r.title}\n{names}DP  - {r.year} Jan\nAID - {r.doi} [doi]\n"
    if kind == "csv":
        return f'"{r.title}","{"; ".join(r.authors)};",{r.year},{r.pmid},https://doi.org/{r.doi}\n'
    title, names, doi = str(r.title), " and ".join(r.authors), str(r.doi).replace("_", r"\_")
    for letter, accent in {"é": r"{\'e}", "ß": r"{\ss}", "Å": r"{\AA}"}.items():
        title, names = title.replace(letter, accent), names.replace(letter, accent)
    return (
        f"@article{{k{r.pmid},\n title = {{{title}}},\n author = {{{names}}},\n"
        f" year = {r.year},\n pmid = {{{r.pmid}}}, doi = {{{doi}}}}}\n"
    )


@given(st.sampled_from(KINDS), st.lists(written, min_size=1, max_size=4))
def test_what_is_written_is_read(kind: Kind, listed: list[Reference]) -> None:
    text = "".join(text_of(reference, kind) for reference in listed)
    if kind == "csv":
        text = "Title,Authors,Year,PMID,DOI\n" + text
    assert parsed(text, kind) == listed


def test_the_local_id_is_that_of_the_surest_name() -> None:
    first = Reference(doi="10.1000/a", title="One way to write it")
    assert first.local_id == Reference(doi="10.1000/a").local_id
    assert first.local_id != Reference(doi="10.1000/b").local_id
    by_title = Reference(title="Möbius: a strip", year=2020, authors=("Lee, Ann",))
    same = Reference(title="MÖBIUS - A Strip.", year=2020, authors=("Ann Lee",))
    assert by_title.local_id == same.local_id
    assert by_title.local_id != Reference(title="Möbius: a strip", year=2021).local_id
    assert by_title.local_id.startswith("local:")
