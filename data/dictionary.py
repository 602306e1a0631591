"""The data dictionary: every column of every table that a survey holds or a release adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from data.records import Claim, Decision, Record, Result, Use, Work, schema

# Tables of a release that are records.
RECORDS: Mapping[str, type[Record]] = {
    "works": Work,
    "uses": Use,
    "claims": Claim,
    "decisions": Decision,
    "results": Result,
}
# Tables that are counted from them; each column in words.
_SHARE = {
    "text": "what was read of the papers: full text or abstract",
    "group": "the group of papers: a year, a venue and so on",
    "dataset": "catalogue id of the dataset",
    "n": "papers of the group that use it as source",
    "n_papers": "papers in the group",
    "share": "n / n_papers",
    "low": "lower bound of the Wilson 95% interval of share",
    "high": "upper bound",
    "n_gold": "gold papers in the group",
    "corrected": "share corrected for the annotator's errors by gold papers; empty without enough",
    "corrected_low": "lower bound of its 95% interval",
    "corrected_high": "upper bound",
    "rogan_gladen": "the same by the Rogan-Gladen estimator, a second opinion",
    "rogan_gladen_low": "lower bound",
    "rogan_gladen_high": "upper bound",
    "not_corrected": "why corrected is empty",
}
COUNTED: Mapping[str, Mapping[str, str]] = {
    "topics": {
        "work_id": "id of the work",
        "full_text": "more than title and abstract was read",
        "modality": "how the images were made, as title and abstract name it",
        "organ": "what they show, likewise",
        "task": "what is done with them, likewise",
    },
    "shares": {"by": "what groups the papers", **_SHARE},
    "transfers": {
        "text": "what was read of the papers",
        "source": "catalogue id of the source",
        "target": "catalogue id of the target",
        "n": "papers that use both",
        "n_papers": "papers of that kind of text with a source and a target",
        "share": "n / n_papers",
        "low": "lower bound of the Wilson 95% interval",
        "high": "upper bound",
    },
    "concentration": {
        "text": "what was read of the papers",
        "group": "all",
        "measure": "gini, hhi, effective number of sources, share of the first, of the first five",
        "value": "value of the measure",
        "low": "lower bound of the 95% bootstrap interval by paper",
        "high": "upper bound",
        "n_papers": "papers with such a use",
        "n_uses": "pairs of paper and source",
        "n_datasets": "sources that are used",
        "n_gold": "gold papers that truly have such a use",
        "corrected": "hhi and its effective number, corrected for the annotator's errors by gold "
        "papers; empty without enough",
        "corrected_low": "lower bound of its 95% interval",
        "corrected_high": "upper bound",
        "not_corrected": "why corrected is empty",
    },
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its table, its name, its type, whether it may be empty, what it holds."""

    table: str
    name: str
    type: str
    may_be_empty: bool
    description: str


def columns() -> Iterator[Column]:
    """All columns of records, table by table."""
    for table, kind in RECORDS.items():
        for field in schema(kind):
            said = (field.metadata or {}).get(b"description", b"").decode()
            yield Column(table, field.name, type_name(field.type), field.nullable, said)


def type_name(kind: pa.DataType) -> str:
    """A column's type as a data package names it: string, integer, number, boolean, date, ..."""
    tests = (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "datetime"),
        (pa.types.is_list, "list"),
    )
    return next((name for test, name in tests if test(kind)), "string")


def dictionary() -> pd.DataFrame:
    """The dictionary as a frame: table, column, type, may be empty, description."""
    rows = [
        (each.table, each.name, each.type, each.may_be_empty, each.description)
        for each in columns()
    ]
    rows += [
        (table, name, "", True, said)
        for table, described in COUNTED.items()
        for name, said in described.items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "type", "may be empty", "description"])
