"""Items and decisions as the page gets them: JSON, texts cut into runs (see `runs.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from annotate.naming import choices
from annotate.review import Item, Opinion
from annotate.sentences import Sentences
from dashboard.panel.runs import Run, runs
from data.catalogue import PSEUDO_IDS, load, own_tables
from data.records import Decision, Use

_CODEBOOK = Path(__file__).parents[2] / "annotate" / "codebook.md"
_SAID = {
    "accept": "yes",
    "reject": "no",
    "done": "closed the paper without it",
    "skip": "skipped it",
}
_NOWHERE = "not in the catalogue"


def id_of(decision: Decision) -> str:
    """The `key` of the item that a decision was made on."""
    dataset, role = decision.proposed_dataset or "", decision.proposed_role or ""
    return f"{decision.work_id}|{dataset}|{role}"


def item(
    item: Item,
    work: Mapping[str, Any],
    passages: Sequence[Mapping[str, Any]],
    uses: Sequence[Use],
    *,
    own: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """An item with all that is shown of it.

    Args:
        work: its title, abstract, year, venue, doi and oa_url.
        passages: section, order and text of its full text, in order.
        uses: all of the paper, surest first; a blind item shows none.
        own: this reviewer's standing decisions on the paper, as `made` gives them.
    """
    shown = () if item.blind else uses
    places = [item.name] if item.name else [*item.uses]
    selected = _selected(item)
    # Where nobody found a place, the whole text is to be read.
    to_read = {(one.section, one.order) for one in [*places, *selected]} if places else set()
    texts = _texts(work, passages, to_read, whole=item.blind)
    title, *rest = [
        {
            "label": section,
            "section": section,
            "order": order,
            "text": _marked(item, [*shown, *selected], section, order, text or ""),
        }
        for section, order, text in texts
    ]
    link, link_text = _link(work)
    return {
        "id": item.key,
        "token": item.token,
        "work": item.work_id,
        "kind": "name" if item.name else "paper" if item.dataset is None else "claim",
        "ask": _ask(item),
        "dataset": item.dataset,
        "role": item.role,
        "how": _how(item),
        "evidence": places[0].evidence if places else _shaded([title, *rest]),
        "title": title["text"] or [("(untitled)", "", "")],
        "passages": rest,
        "about": " \u00b7 ".join(str(v) for v in (work["year"], work["venue"], work["id"]) if v),
        "link": link,
        "linkText": link_text,
        "uses": _uses(item, shown),
        "made": own,
        "others": [_other(one, item) for one in item.others],
    }


def length(item: Mapping[str, Any]) -> int:
    """Characters of an item's passages."""
    return sum(len(text) for passage in item["passages"] for text, _, _ in passage["text"])


def made(decision: Decision, title: str | None, *, here: bool) -> dict[str, Any]:
    """A decision of the reviewer, as far as the page undoes and lists it: those made `here`.

    Section to end are the words of an added use.
    """
    return {
        "uid": decision.uid,
        "item": id_of(decision),
        "work": decision.work_id,
        "verdict": decision.verdict,
        "dataset": decision.dataset or decision.proposed_dataset,
        "role": decision.role or decision.proposed_role,
        "title": title,
        "note": decision.note,
        "section": decision.section,
        "order": decision.order,
        "start": decision.start,
        "end": decision.end,
        "elsewhere": not here,
        "made": round(decision.at.timestamp() * 1000),
    }


def _ask(item: Item) -> tuple[str, str]:
    """The words before and after the dataset's name."""
    if item.name:
        return "Is", "the name of a dataset, used here as"
    if item.dataset in PSEUDO_IDS:
        return "Does this paper take ready-made weights whose training data are", "and serve as"
    if item.dataset is not None:
        return "Does this paper use", "as" if item.role else "?"
    if item.blind:
        return "Which datasets does this paper use? Select the name, then give its role.", ""
    return "Does this paper use anything else?", ""


def _how(item: Item) -> str:
    if item.name:
        papers = "1 paper" if item.n_papers == 1 else f"{item.n_papers} papers"
        return f"{_NOWHERE}; in {papers}"
    best = item.uses[0] if item.uses else None
    parts = [f"read off {best.model}" if best and best.implied and best.model else ""]
    parts += [f"score {item.score:.2f}" if item.score is not None else ""]
    return ", ".join(filter(None, parts))


def _texts(
    work: Mapping[str, Any],
    passages: Sequence[Mapping[str, Any]],
    places: set[tuple[str, int]],
    *,
    whole: bool,
) -> list[tuple[str, int, str | None]]:
    """Title, abstract, and of a full text the passages to read: all, or those at `places`."""
    own = [("title", 0, work["title"])]
    own += [("abstract", 0, work["abstract"])] if work["abstract"] else []
    held = {section for section, _, text in own if text}
    rest = [(row["section"], row["order"], row["text"]) for row in passages]
    return own + [
        (section, order, text)
        for section, order, text in rest
        if section not in held and (whole or not places or (section, order) in places)
    ]


def _marked(
    item: Item, shown: Iterable[Use | Decision], section: str, order: int, text: str
) -> list[Run]:
    spans: list[dict[str, Any]] = [
        {
            "start": one.start,
            "end": one.end,
            "dataset": one.dataset,
            "role": one.role,
            "own": (one.dataset, one.role) == (item.dataset, item.role),
            "who": one.reviewer if isinstance(one, Decision) else "",
        }
        for one in shown
        if (one.section, one.order) == (section, order)
    ]
    asked = [use.evidence for use in item.uses if (use.section, use.order) == (section, order)]
    name = item.name
    if name and (name.section, name.order) == (section, order):
        said = {"dataset": name.name, "role": name.role, "own": True, "who": ""}
        spans.append({"start": name.start, "end": name.end, **said})
        asked.append(name.evidence)
    if not asked:  # what people selected has no sentence of its own
        asked = [_sentence(text, span["start"]) for span in spans if span["own"]]
    return runs(text, spans, sentence=asked[0] if asked else None)


def _selected(item: Item) -> list[Decision]:
    """Decisions whose words people selected: on a claim in dispute, and on what else they found."""
    made = (each for one in item.others for each in (one.decision, *one.also))
    return [each for each in made if each.section is not None]


def _sentence(text: str, place: int) -> str:
    sentences = Sentences(text)
    start, end = sentences.span(sentences.number(place))
    return text[start:end].strip()


def _shaded(passages: Iterable[Mapping[str, Any]]) -> str:
    """The sentence that is shaded as evidence, in the first passage that has one; else ""."""
    for passage in passages:
        words = "".join(text for text, css, _ in passage["text"] if "evidence" in css)
        if words:
            return words
    return ""


def _uses(item: Item, shown: Iterable[Use]) -> list[dict[str, Any]]:
    """The claims on the paper, surest first; what this reviewer made of them the page knows."""
    rows: dict[str, dict[str, Any]] = {}
    for use in shown:
        claim_id = f"{use.work_id}|{use.dataset}|{use.role}"
        via = use.model if use.implied and use.model else ""
        shown_row = {"id": claim_id, "dataset": use.dataset, "role": use.role, "via": via}
        rows.setdefault(claim_id, shown_row)
    return list(rows.values())


def _other(opinion: Opinion, item: Item) -> dict[str, Any]:
    decision = opinion.decision
    said = _SAID.get(decision.verdict) or f"it is {decision.dataset} as {decision.role}"
    if decision.verdict == "done" and not opinion.also:
        said = "closed the paper, no dataset in it"
    uses = {(made.dataset, made.role): None for made in opinion.also}
    return {
        "who": decision.reviewer,
        "said": said,
        "uses": [{"dataset": dataset, "role": role} for dataset, role in uses],
        "notes": [_note(made, item) for made in opinion.noted],
    }


def _note(made: Decision, item: Item) -> dict[str, str | None]:
    """A note, and what it is on unless that is the claim in dispute or the whole paper."""
    dataset, role = made.proposed_dataset or made.dataset, made.proposed_role or made.role
    is_here = dataset is None or (dataset, role) == (item.dataset, item.role)
    return {"on": "" if is_here else f"{dataset} as {role}", "text": made.note}


def _link(work: Mapping[str, Any]) -> tuple[str, str]:
    """Address and text of the link to the paper; "" if there is none that a browser may follow."""
    if work["doi"]:
        return f"https://doi.org/{work['doi']}", work["doi"]
    url = work["oa_url"] or ""
    return (url, "open copy") if url.startswith(("https://", "http://")) else ("", "")


def catalogue(survey: Path) -> list[list[str]]:
    """[dataset, what it is, its only role or "", names...] of each choice of the type-ahead."""
    known = load(extra=own_tables(survey))
    return [[one.dataset, one.about, one.role or "", *one.names] for one in choices(known)]


@cache
def codebook() -> str:
    """The rules, as Markdown."""
    return _CODEBOOK.read_text(encoding="utf-8")
