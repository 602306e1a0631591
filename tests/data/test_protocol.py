from pathlib import Path

import pytest
from builders import PROTOCOL, work

import data
from data.errors import InputError
from data.protocol import load, screen
from data.settings import settings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_packaged_protocol_is_valid() -> None:
    protocol = load(Path(data.__path__[0]) / "facts" / "protocol.toml")
    assert len(protocol.search.topics) > 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("first_year = 2015", "first_yaer = 2015", "allowed: topics"),
        ("first_year = 2015", 'first_year = "2015"', "valid integer"),
        ("first_year = 2015", "first_year = 2027", "after last_year"),
        ("first_year = 2015", "first_year = 1066", "1900"),
        ('id = "T1"', 'id = "1"', "pattern"),
        ("[search]", "[search", "not TOML"),
        ('languages = ["en"]', "languages = []", "at least 1"),
    ],
)
def test_a_fault_names_file_line_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = written(tmp_path, PROTOCOL.replace(old, new))
    with pytest.raises(InputError, match=said) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_wrong_key_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, PROTOCOL.replace("last_year", "lastyear"))
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.line is not None


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
