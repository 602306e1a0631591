"""Dataset names that the catalogue lacks, each with the role that it would have.

Open `candidates_of` first. `annotate.introduced` finds the names; here the paper as a whole takes
some out again, by its own definitions ("magnetic resonance imaging (MRI)", "we propose FooNet"),
and the sentence gives a role, by the rules for names of the catalogue (`annotate.roles`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import product

from annotate.chunks import COLLECTION, DATA, abbreviates, words_in, words_of
from annotate.introduced import Found, names_of
from annotate.matcher import Name
from annotate.roles import Reading, grouped, is_review, read_role, template
from annotate.sentences import Sentences
from data.catalogue import key
from data.records import Candidate, Passage, Role

_REACH = 12  # tokens that a definition is looked for in
_METHOD_VERB = words_of(
    "outperforms outperform achieves achieve learns uses employs improves reaches consists "
    "combines leverages surpasses yields reduces aims"
)
_PROPOSING = words_of(
    "propose proposed proposes introduce introduced introduces present presents presented develop "
    "developed develops call called named termed dubbed"
)
_PLACEHOLDERS = {"dataset": "XX", "model": "MM"}
# A paper that speaks of records, signals or texts and of no images names data of that kind.
_OF_OTHER_DATA = re.compile(
    r"health records?|\bEHRs?\b|\bEMRs?\b|\bE[CEM]Gs?\b|electrocardio|electroenceph|\bICUs?\b"
    r"|intensive care|clinical notes?|discharge summar|time[\s\-]series|claims data|genom|\bSNPs?\b"
    r"|language processing|text classification|question answering|speech|wearable|mortality",
    re.IGNORECASE,
)
_OF_IMAGES = re.compile(
    r"imag|scan|\bMRI?\b|\bCT\b|x-?ray|radio(?:graph|log)|vision|visual|histo|patholog|microscop"
    r"|ultrasound|echo|endoscop|fundus|\bOCT\b|retina|video|pixel|segment|photo|mammogra|tomogra",
    re.IGNORECASE,
)
# Between a name and its other one: "CheXpert (CXP)", "the FeTS 2022 Challenge (FeTS2022)".
_BRACKET = re.compile(r"[ \w\-]{0,20}\(")
# Between a dataset and its edition or part: "BraTS 2024 GoAT", "ImageNet Fall11".
_EDITION = re.compile(r" (?:'?\d{2,4} )?")
_LONGEST_GAP = 24
_LONGEST_NAME = 150  # with the gap
_INSIDE = ")$}×"  # after these a name goes on: "(v)sMAE", "CMR$\\times$Recon"
_REACH_OF_ROLES = 600  # characters to either side of a name; few sentences are longer


def candidates_of(
    work_id: str,
    texts: Sequence[tuple[Passage, Sequence[Name]]],
    *,
    run: str,
    annotator: str,
) -> list[Candidate]:
    """What one paper names that may be a dataset and is not in the catalogue.

    One candidate a name and role, the surest; a mention gives way to a use, as in uses.

    Args:
        texts: each passage with the catalogue's names in it.

    Returns: by passage and place.
    """
    found = [(passage, known, _names(passage, known, frozenset())) for passage, known in texts]
    if not any(names for _, _, names in found):
        return []
    if _is_of_other_data([passage.text for passage, _ in texts]):
        return []
    words = {word for _, _, names in found for name in names for word in name.name.split()}
    taken = not_data([passage.text for passage, _ in texts], frozenset(words))
    is_in_review = any(p.section == "title" and is_review(p.text) for p, _ in texts)
    best: dict[tuple[str, Role], Candidate] = {}
    for passage, known, names in found:
        kept = _names(passage, known, taken) if taken and names else names
        for name, read, score, evidence in _with_roles(passage, known, kept):
            role: Role = "mention" if is_in_review else read
            place = key(name.name), role
            if place not in best or score > best[place].score:
                best[place] = Candidate(
                    work_id=work_id,
                    run=run,
                    name=name.name,
                    role=role,
                    why=name.why,
                    surface=passage.text[name.start : name.end],
                    section=passage.section,
                    order=passage.order,
                    start=name.start,
                    end=name.end,
                    evidence=evidence,
                    score=score,
                    annotator=annotator,
                )
    used = {name for name, role in best if role != "mention"}
    order = {(p.section, p.order): place for place, (p, _) in enumerate(texts)}
    return sorted(
        (c for (name, role), c in best.items() if role != "mention" or name not in used),
        key=lambda c: (order[c.section, c.order], c.start, c.role),
    )


def _is_of_other_data(texts: Sequence[str]) -> bool:
    is_told = any(_OF_OTHER_DATA.search(text) for text in texts)
    return is_told and not any(_OF_IMAGES.search(text) for text in texts)


def _names(passage: Passage, known: Sequence[Name], taken: frozenset[str]) -> list[Found]:
    found = names_of(passage.text, known, in_title=passage.section == "title", taken=taken)
    return [name for name in found if not _is_also(passage.text, name, known)]


def _is_also(text: str, name: Found, known: Sequence[Name]) -> bool:
    """Whether a name is another one for what the catalogue knows, or a part of it."""
    if text[name.start - 1 : name.start] in tuple(_INSIDE):
        return True
    before = _between(known, name.start - _LONGEST_NAME, name.start)
    after = _between(known, name.end, name.end + _LONGEST_GAP)
    gaps = [(other.kind, text[other.end : name.start]) for other in before]
    gaps += [(other.kind, text[name.end : other.start]) for other in after]
    return any(
        _BRACKET.fullmatch(gap) or (kind == "dataset" and _EDITION.fullmatch(gap))
        for kind, gap in gaps
    )


def _with_roles(
    passage: Passage, known: Sequence[Name], found: Sequence[Found]
) -> Iterator[tuple[Found, Role, float, str]]:
    """Each find with each role that its sentence gives it, the score of both, the sentence.

    Roles are read as those of the catalogue's names are; a list shares its role.
    """
    new = {Name(name.start, name.end, "dataset", name.name): name for name in found}
    names = sorted([*_apart(known, sorted(new, key=_start)), *new], key=_start)
    sentences = Sentences(passage.text)
    for start, end in map(sentences.span, range(len(sentences.starts))):
        inside = _between(names, start, end)
        if any(name in new for name in inside):
            for group in grouped(inside, passage.text):
                fresh = [name for name in group if name in new]
                if fresh:
                    sentence, readings = _read(passage, start, end, inside, group)
                    for name, reading in product(fresh, readings):
                        score = round(new[name].score * reading.score, 3)
                        yield new[name], reading.role, score, sentence


def _read(
    passage: Passage, start: int, end: int, names: Sequence[Name], group: Sequence[Name]
) -> tuple[str, list[Reading]]:
    """The sentence around a group of datasets, and what it says of them."""
    first = max(start, group[0].start - _REACH_OF_ROLES)
    last = max(min(end, group[-1].end + _REACH_OF_ROLES), group[-1].end)
    own = set(group)
    marks = [
        (name.start, name.end, _PLACEHOLDERS[name.kind])
        for name in _between(names, first, last)
        if name not in own
    ]
    marks.append((group[0].start, group[-1].end, "DD"))
    rewritten = template(passage.text, first, last, marks)
    sentence = passage.text[first:last].strip()
    return sentence, read_role(sentence, rewritten, in_title=passage.section == "title")


def _start(name: Name) -> int:
    return name.start


def _between(names: Sequence[Name], start: int, end: int) -> Sequence[Name]:
    """Those of `names`, which are by place, that begin from `start` to before `end`."""
    first = bisect_left(names, start, key=_start)
    return names[first : bisect_left(names, end, key=_start)]


def _apart(known: Sequence[Name], new: Sequence[Name]) -> Iterator[Name]:
    """The known names that no new one overlaps, as "Kvasir" does in "Kvasir-SEG"."""
    for name in known:
        place = bisect_left(new, name.end, key=_start)
        if place == 0 or new[place - 1].end <= name.start:
            yield name


# --- what the paper defines as something else --------------------------------------------------


def not_data(texts: Sequence[str], wanted: frozenset[str]) -> frozenset[str]:
    """Of the words `wanted`, those that a paper's texts introduce as something other than data.

    These are abbreviations of lower-case words ("optical coherence tomography (OCT)") and what
    the paper proposes ("we present FooNet, a network"; "FooNet: Better segmentation").
    """
    found: set[str] = set()
    for text in texts:
        if not any(word in text for word in wanted - found):
            continue
        words = words_in(text)
        for place, word in enumerate(words):
            if word in wanted and (
                _abbreviates_plain_words(words, place) or _is_proposed(words, place)
            ):
                found.add(word)
    return frozenset(found)


def _abbreviates_plain_words(words: Sequence[str], place: int) -> bool:
    if place == 0 or words[place - 1] != "(":
        return False
    before = words[max(0, place - 1 - _REACH) : place - 1]
    after = [word.lower() for word in words[place + 1 : place + 4]]
    if any(word in DATA for word in after):
        return False
    acronym = words[place]
    n_letters = sum(char.isalpha() for char in acronym)
    for start in range(len(before) - 1, max(-1, len(before) - n_letters - 4), -1):
        spelled = before[start:]
        if any(not word[0].isalnum() for word in spelled):
            return False
        if abbreviates(acronym, spelled):
            lower = sum(word[0].islower() for word in spelled)
            is_data = any(word.lower() in DATA | COLLECTION for word in spelled)
            return not is_data and 2 * lower >= len(spelled)
    return False


def _is_proposed(words: Sequence[str], place: int) -> bool:
    """Whether a name is what the paper makes, and no dataset: a method, in nearly all cases."""
    after = [word.lower() for word in words[place + 1 : place + 1 + _REACH]]
    before = [word.lower() for word in words[max(0, place - 4) : place]]
    if any(word in DATA for word in _clause(after)):
        return False
    if place == 0 and after[:1] == [":"]:
        return True
    if any(word in DATA for word in before):
        return False
    if after and after[0] in _METHOD_VERB:
        return True
    return any(word in _PROPOSING for word in before)


def _clause(words: Sequence[str]) -> list[str]:
    """The words up to the end of the sentence."""
    return list(words[: words.index(".")]) if "." in words else list(words)
