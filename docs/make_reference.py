"""Writes reference.md from the program itself; a test holds that the two agree.

    python docs/make_reference.py

Commands and options come from the command line, protocol keys and records from their classes,
the catalogue's columns from its tables: what a reader looks up cannot fall behind the code.
"""

from __future__ import annotations

import csv
import dataclasses
import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import typer.main

import cats
from data.catalogue import DATASET_COLUMNS, DATASETS_CSV, MODEL_COLUMNS, Domain, Kind, Modality
from data.catalogue import Strategy as Learned
from data.corpus import FOLDERS
from data.errors import CatsError
from data.protocol import Include, Protocol, Search, Seed, Topic
from data.records import Candidate, Claim, Decision, Passage, Result, Use, Work

PLACE = Path(__file__).parent / "reference.md"
_HEAD = """# Reference

Made from the program by `python docs/make_reference.py`; do not edit. What the commands are
for stands in [commands.md](commands.md).
"""


def reference() -> str:
    """The whole page, as Markdown."""
    parts = [_HEAD, *_commands(), *_exit_codes(), *_protocol(), *_records(), *_catalogue()]
    return "\n".join(parts) + "\n"


def _table(columns: list[str], rows: list[list[str]]) -> str:
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    root = typer.main.get_command(cats._command_line())
    yield from _command(root, "cats")


def _command(command: click.Command, name: str) -> Iterator[str]:
    inner: dict[str, click.Command] = getattr(command, "commands", {})
    for each in sorted(inner):
        yield from _command(inner[each], f"{name} {each}")
    if inner:
        return
    context = click.Context(command, info_name=name)
    yield f"### `{name}`\n\n{inspect.cleandoc(command.help or '')}\n"
    rows = []
    for parameter in command.get_params(context):
        shown = parameter.get_help_record(context)
        if shown is not None and "--help" not in parameter.opts:
            rows.append([f"`{shown[0].strip()}`", shown[1].strip()])
    if rows:
        yield _table(["argument or option", "meaning"], rows)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    kinds = sorted(CatsError.__subclasses__(), key=lambda kind: kind.exit_code)
    rows = [["0", "done"], ["1", "a bug: report it with the output of `--debug`"]]
    rows += [["2", "wrong usage"]]
    rows += [[str(kind.exit_code), (kind.__doc__ or "").splitlines()[0]] for kind in kinds]
    yield _table(["code", "meaning"], rows)


def _protocol() -> Iterator[str]:
    yield "## Protocol keys\n"
    yield "As `cats init` writes them:\n"
    template = DATASETS_CSV.with_name("protocol.toml").read_text(encoding="utf-8")
    yield f"```toml\n{template}```\n"
    rows = []
    for prefix, table in (
        ("", Protocol),
        ("search.", Search),
        ("search.topics[].", Topic),
        ("include.", Include),
        ("seeds[].", Seed),
    ):
        for name, field in table.model_fields.items():
            default = "required" if field.is_required() else f"`{field.default!r}`"
            inner = isinstance(field.default, Include) or field.annotation in (Search, Include)
            if not inner:
                rows.append([f"`{prefix}{name}`", _type(field.annotation), default])
    yield _table(["key", "type", "default"], rows)


def _records() -> Iterator[str]:
    yield "## Records\n"
    yield "Missing is null; times are UTC; `passage.text[use.start:use.end] == use.surface`.\n"
    for record in (Work, Passage, Use, Candidate, Decision, Claim, Result):
        folder = FOLDERS.get(record)
        where = {Decision: "table `decisions` of `journal.db`", Claim: "computed, never stored"}
        place = f"`{folder}/*.parquet`" if folder else where[record]
        yield f"### {record.__name__}\n\n{inspect.cleandoc(record.__doc__ or '')} In {place}.\n"
        hints = get_type_hints(record)
        rows = [
            [f"`{field.name}`", _type(hints[field.name]), field.metadata["description"]]
            for field in dataclasses.fields(record)
        ]
        yield _table(["field", "type", "meaning"], rows)


def _type(hint: Any) -> str:
    """A type as a reader of a table says it."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_type(part) for part in get_args(hint))
    if get_origin(hint) in (tuple, list):
        return f"list of {_type(get_args(hint)[0])}"
    if get_args(hint) and hasattr(hint, "__metadata__"):
        return _type(get_args(hint)[0])
    return "null" if hint is type(None) else str(getattr(hint, "__name__", hint))


_MEANINGS = {
    "id": "the usual public name; stored with every use",
    "name": "the official name in full",
    "aliases": "other spellings",
    "domain": f"field of the images: {', '.join(get_args(Domain))}",
    "modality": f"how they were made: {', '.join(get_args(Modality))}",
    "organ": "what they show",
    "year": "of publication",
    "size": "number of images, or as its paper says it",
    "access": "how one gets it, or its licence",
    "paper": "`doi:10...`, `arXiv:...` or `https://...`",
    "ambiguous": "those of its names that are homonyms",
    "context": "words near which a homonym counts",
    "openalex": "OpenAlex ids of its own papers",
    "kind": f"what its name implies: {', '.join(get_args(Kind))}",
    "datasets": "catalogue ids of what its public weights were trained on; empty: unknown",
    "parent": "the model that it was made from",
    "strategy": f"how it learned: {', '.join(get_args(Learned))}",
    "note": "for the reader",
}


def _catalogue() -> Iterator[str]:
    yield "## The catalogue's columns\n"
    yield "Several values in a cell are separated by `;`.\n"
    for name, columns in (("datasets.csv", DATASET_COLUMNS), ("models.csv", MODEL_COLUMNS)):
        with DATASETS_CSV.with_name(name).open(encoding="utf-8", newline="") as file:
            n_rows = sum(1 for _ in csv.reader(file)) - 1
        yield f"### `data/facts/{name}`\n\n{n_rows:,} rows.\n"
        yield _table(["column", "meaning"], [[f"`{each}`", _MEANINGS[each]] for each in columns])


if __name__ == "__main__":
    PLACE.write_text(reference(), encoding="utf-8")
