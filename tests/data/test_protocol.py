import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import PROTOCOL, work
from hypothesis import given
from hypothesis import strategies as st

import data
from data.errors import InputError
from data.places import Loc, places
from data.protocol import load, screen
from data.settings import settings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_packaged_protocol_is_valid() -> None:
    protocol = load(Path(data.__path__[0]) / "facts" / "protocol.toml")
    assert len(protocol.search.topics) > 5


INLINE = 'topics = [{ id = "T1", name = "Imaging" }]'
SEEDS = '\n[[seeds]]\nname = "a"\ncites = "W1"\n\n[[seeds]]\nname = "b"\ncites = "W2"\n'


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("title", "titel", 2, "titel is no key of a protocol; did you mean 'title'? allowed: ti"),
        ("title", "titel", 1, "title is missing"),
        ("[search]", "[serach]", 3, "did you mean 'search'?"),
        ("first_year", "first_yaer", 5, "did you mean 'first_year'? allowed: topics, text, f"),
        ("first_year", "first_yaer", 3, "search.first_year is missing"),
        (INLINE, "topics = [\n{id='T1',name='a'},\n{id='T2',nmae='b'}]", 6, "[1].nmae is no key"),
        (INLINE, "topics = [\n{id='T1',name='a'},\n{id='T12x',name='b'}]", 6, "topic such as T12"),
        (INLINE, 'topics = ["T1"]', 4, "expected a table"),
        (INLINE, "topics = [{id='T1',name='a'},{id='T1',name='b'}]", 4, "'T1' is there twice"),
        ("2015", '"2015"', 5, "first_year is '2015', expected a whole number without quotes"),
        ("2015", "2015.0", 5, "expected a whole number"),
        ("2015", "2027", 6, "first_year 2027 is after last_year 2026"),
        ("2026", "3015", 6, "search.last_year is 3015, expected a year from 1900 to 2100"),
        ("2015", "1066", 5, "expected a year from 1900 to 2100"),
        ("last_year = 2026", "", 3, "search.last_year is missing"),
        ("last_year", "last_year = 2026\nlast_year", 7, "not TOML: a key that is set twice"),
        ("[search]", "[search", 3, "not TOML"),
        ('"article"', '"paper"', 7, "search.types[0] is 'paper', no type of OpenAlex"),
        ('"preprint"', '"Preprint"', 7, "did you mean 'preprint'? allowed: article, conference-"),
        ('["article", "preprint"]', '"article"', 7, "expected a list such as"),
        ('["en"]', "[]", 8, "expected at least 1"),
        ('["en"]', '["en",\n"english"]', 9, "search.languages[1] is 'english', expected two sm"),
        ('["en"]', '["en"]\n[include]\nabstract = "yes"', 10, "expected true or false"),
        ('["en"]', '["en"]\n[include]\nabstact = true', 10, "allowed: abstract, retracted, any_of"),
        ('["en"]', '["en"]\n[include]\nany_of = ["a", ""]', 10, "include.any_of[1] is ''"),
        ('["en"]', '["en"]\ntext = ""', 9, "expected some text; leave the key out for none"),
        ('["en"]\n', '["en"]\n' + SEEDS.replace("W2", "2"), 16, "seeds[1].cites is '2', expected"),
        ('["en"]\n', '["en"]\n' + SEEDS.replace('"b"', '"a"'), 10, "name 'a' is there twice"),
        ('["en"]\n', '["en"]\n' + SEEDS.replace("[[seeds]]", "[[seed]]"), 10, "mean 'seeds'?"),
        ("first_year = 2015", '# last_year = "x" [a]\nfirst_year = true', 6, "expected a whole n"),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    path = written(tmp_path, PROTOCOL.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path} line ")
    faults = re.split(r"; (?=line \d+: )", message.removeprefix(f"{path} "))
    assert any(f.startswith(f"line {line}: ") and said in f for f in faults), message


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(INLINE, "topics = []"),  # for a survey of lists alone
    ],
)
def test_what_editors_do_to_a_file_is_no_fault(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    path = tmp_path / "protocol.toml"
    path.write_bytes(change(PROTOCOL).encode())
    assert load(path).title == "A test"


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "protocol.toml"
    path.write_bytes(PROTOCOL.replace("Imaging", "Bildgebung für Ärzte").encode("latin-1"))
    with pytest.raises(InputError, match="line 4: not UTF-8"):
        load(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.toml")


values = st.recursive(
    st.sampled_from(["1", '"a, [b] # c"', "'''x\ny'''", '"""a"b\n"""', "true"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda v: "[" + ",\n ".join(v) + "\n]"),
)


@given(st.dictionaries(st.sampled_from(["a", "b", '"c d"', "e.f"]), values, min_size=1))
def test_places_know_every_key_that_the_parser_knows(fields: dict[str, str]) -> None:
    text = "# x\n" + "".join(f"{key} = {value} # y\n" for key, value in fields.items())
    tables = "[[t]]\na = {b = [1,\n2], c.d = 3}\n[[t]]\n"
    found = places(text + tables)
    lines = text.split("\n")
    for loc in locs(tomllib.loads(text + tables), ()):
        assert not loc or loc in found
        if len(loc) == 1 and loc[0] in ("a", "b", "c d"):
            assert lines[found[loc] - 1].startswith((f"{loc[0]} =", f'"{loc[0]}" ='))
    first = len(lines)
    assert [found["t", 0], found["t", 0, "a", "b", 1], found["t", 1]] == [
        first,
        first + 2,
        first + 3,
    ]
    assert found["t", 0, "a", "c", "d"] == first + 2


def locs(value: Any, at: Loc) -> Iterator[Loc]:
    """The places of a TOML value."""
    yield at
    inner = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield from locs(each, (*at, key))


@given(st.text("[]{}=,.#\"'\n ab"))
def test_places_end_on_any_text(text: str) -> None:
    assert isinstance(places(text), dict)


def test_the_hash_follows_the_question_not_the_spelling(tmp_path: Path) -> None:
    first = load(written(tmp_path, PROTOCOL)).hash
    assert load(written(tmp_path, PROTOCOL + "\n# a remark\n")).hash == first
    assert load(written(tmp_path, PROTOCOL.replace("2015", "2016"))).hash != first


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "meets the protocol"),
        ({"year": 2010}, "year 2010"),
        ({"year": None}, "meets the protocol"),
        ({"type": "editorial"}, "type editorial"),
        ({"language": "de"}, "language de"),
        ({"is_retracted": True}, "retracted"),
        ({"abstract": None}, "no abstract"),
    ],
)
def test_screening_gives_the_first_reason(
    tmp_path: Path, fields: dict[str, object], reason: str
) -> None:
    included, said = screen(work(**fields), load(written(tmp_path, PROTOCOL)))
    assert said == reason
    assert included == (reason == "meets the protocol")


def test_words_are_looked_for_in_any_case(tmp_path: Path) -> None:
    protocol = load(written(tmp_path, PROTOCOL + '[include]\nany_of = ["Transfer"]\n'))
    assert screen(work(abstract="We TRANSFER."), protocol)[0]
    assert not screen(work(), protocol)[0]


def test_a_blank_key_is_no_key_and_a_key_is_not_shown() -> None:
    assert settings({"OPENALEX_API_KEY": "  "}).openalex_key is None
    shown = settings({"OPENALEX_API_KEY": "secret"})
    assert shown.openalex_key == "secret"
    assert "secret" not in repr(shown)


def test_a_flag_beats_the_environment() -> None:
    environment = {"CATS_OPENALEX_URL": "http://there/"}
    assert settings(environment).openalex_url == "http://there"
    assert settings(environment, openalex_url="http://here").openalex_url == "http://here"
    with pytest.raises(InputError, match="http"):
        settings({"CATS_OPENALEX_URL": "ftp://there"})
