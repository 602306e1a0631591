import itertools
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate import implied, patterns, roles
from annotate.patterns import Pattern, pattern, required
from annotate.roles import template
from annotate.sentences import sentence_starts
from annotate.texts import read_papers
from data.sample import phrases


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("pretrain", {"pretrain"}),
        (r"\bpre-?train(?:ed|ing)?", {"pretrain", "pre-train"}),
        (
            "(?:fine|self)[- ]?tun",
            {"fine-tun", "fine tun", "finetun", "self-tun", "selftun", "self tun"},
        ),
        (r"from (?:\w+ ){0,3}scratch", {"scratch"}),
        ("a|bee", {"a", "bee"}),
        ("bee|beef", {"bee"}),
        (r"DD (?:\w+ )?based", {"based"}),
        ("(?:the )?", None),
        (r"\w+", None),
        (r"(?:word|\d)", None),
        ("(?=ahead)behind(?!not)", {"behind"}),
        ("(?:ab){2,}", {"ab"}),
        ("DD", None),
        ("initiali[sz]ation of weights", {"initialisa", "initializa"}),
    ],
)
def test_the_words_that_a_match_must_hold(regex: str, words: set[str] | None) -> None:
    assert required(regex) == words


_PARTS = st.recursive(
    st.sampled_from(
        ["a", "B", "[ck]", r"\w", ".", "[^a]", "s", "\\b", "i", "(?=a)", "(?!b)", "\\s"]
    ),
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map("".join),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(part, st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "{0,3}?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=500)
@given(_PARTS, st.text("abckisABCKIS \u017f\u212a\u0131\u0130", max_size=12), st.booleans())
def test_what_matches_has_one_of_its_words(regex: str, text: str, ignores_case: bool) -> None:
    flags = re.IGNORECASE if ignores_case else 0
    words = required(regex, flags)
    if words is not None and re.search(regex, text, flags):
        assert any(word in patterns.folded(text) for word in words)


def _all(module: ModuleType) -> list[Pattern]:
    return [each for each in vars(module).values() if isinstance(each, Pattern)]


PATTERNS = [*_all(roles), *_all(implied), *(rule.pattern for rule in roles._RULES)]


def _agree(text: str) -> int:
    """How many patterns match; each says what its bare expression says."""
    found = 0
    for each in PATTERNS:
        bare = re.compile(each.regex, each.flags).search(text)
        asked = each.search(text)
        assert (bare and bare.span()) == (asked and asked.span()), each.regex
        found += bare is not None
    return found


def test_on_real_sentences_each_pattern_says_what_its_expression_says(shared: Path) -> None:
    found = 0
    for _, passages in itertools.islice(
        read_papers(shared / "corpus" / "pmlr_medical.jsonl"), 0, None, 40
    ):
        for passage in passages:
            cuts = [*sentence_starts(passage.text), len(passage.text)]
            for start, end in itertools.pairwise(cuts):
                found += _agree(passage.text[start:end])
                found += _agree(template(passage.text, start, end, [(start, start + 3, "DD")]))
                found += _agree(template(passage.text, start, end, [(end - 4, end - 1, "NN")]))
    assert found > 500


_NAMED = [
    sentence.replace("{source}", "DD").replace("{target}", "XX").replace("{backbone}", "NN").lower()
    for group in (phrases.NAMED, phrases.IMPLIED, phrases.MENTION, phrases.TARGET, phrases.SCRATCH)
    for sentence in group
]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(_NAMED) | st.text(max_size=9), max_size=4).map(" DD NN ".join))
def test_in_any_text_each_pattern_says_what_its_expression_says(text: str) -> None:
    _agree(text)


def test_a_pattern_of_later_is_asked_too() -> None:
    assert pattern("quick[a-z]+").search("a quicksand") is not None
    assert pattern("slow[a-z]+").search("a quicksand") is None
