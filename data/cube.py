"""A survey as columns of papers and claims, so that a choice of papers is counted in milliseconds.

Open `cube` (or `survey_cube`) first, then `Selection`: which papers and which claims count. All
numbers of `data.trends`, `concentration`, `transfers`, `growth`, `compare` and `findings` are
counted on a `Cube` by `data.counting`. It is made once a survey; it never changes, and can be
shared by threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.catalogue import MEDICAL, NATURAL, Catalogue, load
from data.citations import dataset_papers, survey_catalogue
from data.claims import citing as cited_by
from data.claims import claims
from data.corpus import TOPICS
from data.errors import InputError
from data.records import ROLES, Role
from data.topics import patterns as patterns  # noqa: PLC0414 - rooms ask the cube for its words
from data.topics import survey_topics, topics_of

By = Literal["year", "venue", "country", "modality", "organ", "task", "all"]
Among = Literal["all", "transfer"]
Counted = Literal["named", "cited", "both", "any"]
Text = Literal["separate", "full text", "abstract", "together"]
ReadAs = Literal["full text", "abstract", "together"]
Of = Literal["dataset", "images", "naming", "unnamed"]
BYS: tuple[By, ...] = get_args(By)
IMAGES = ("natural", "medical", "unknown")
UNKNOWN = "unknown"

Ints: TypeAlias = NDArray[np.int32]
Bools: TypeAlias = NDArray[np.bool_]

# Column, table and its key of the groups of which a paper has a list.
_LISTS: Mapping[By, tuple[str, str, str]] = {
    "country": ("countries", "works", "id"),
    **{by: (by, "topics", "work_id") for by in TOPICS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which papers, and which claims on them, are counted. Hashable: a key of a cache, or a URL.

    Args:
        years: first and last year of publication, both counted; None: all, unknown years too.
        venue, country, modality, organ, task: papers in any of these groups; empty: all papers.
        targets: papers that have one of these datasets as target; empty: all papers.
        text: what was read of the papers. Papers read by title and abstract alone under-report
            sources, so that they are never mixed with others unless asked for: 'separate' counts
            each kind by itself, 'full text' or 'abstract' one kind alone, 'together' mixes them.
        among: 'all' papers, or only those with at least one source ('transfer').
        min_score: claims below this score do not count.
        presence: which witness counts. None: the text, by the dataset's name or a model's; 'named':
            its name alone; 'both': its name, and its paper is cited; 'cited': its paper is cited,
            whatever the text says and in no role; 'any': the text or the citation. For 'cited' and
            'both' the papers are those that have references.

    Raises:
        InputError: a choice is none of those that are known, or years run backwards.
    """

    years: tuple[int, int] | None = None
    venue: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    text: Text = "separate"
    among: Among = "all"
    min_score: float = 0.5
    presence: Counted | None = None

    def __post_init__(self) -> None:
        one_of("text", self.text, get_args(Text))
        one_of("among", self.among, get_args(Among))
        if self.presence is not None:
            one_of("presence", self.presence, get_args(Counted))
        if self.years is not None and self.years[0] > self.years[1]:
            raise InputError(f"years {self.years[0]}-{self.years[1]} run backwards; swap them")
        if not 0 <= self.min_score <= 1:
            raise InputError(f"a score is within 0..1, not {self.min_score}; correct it")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a value that is none of those allowed.

    Raises:
        InputError: it is not.
    """
    choices = tuple(allowed)
    if value not in choices:
        raise InputError(f"--{name} {value!r} is not one of {', '.join(choices)}")


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """In which groups each paper is.

    A paper may be in several; papers share few sets of groups, so that these are what is counted.

    Args:
        names: of the groups, in their order.
        of_paper: the set that each paper has. *Shape:* (n_papers,).
        sets: pairs (set, group) of which groups are in a set, by group; None where each paper is in
            one group, and the set is the group.
    """

    names: tuple[str, ...]
    of_paper: Ints
    sets: tuple[Ints, Ints] | None = None

    @property
    def n_sets(self) -> int:
        """How many sets there are."""
        return len(self.names) if self.sets is None else int(self.sets[0].max(initial=-1)) + 1

    def by_group(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts of sets -> counts of groups. *Shape:* (n_sets, ...) -> (n_groups, ...)."""
        if self.sets is None or not len(self.names):
            return counts
        sets, groups = self.sets
        first = np.searchsorted(groups, np.arange(len(self.names)))
        return np.add.reduceat(counts[sets], first, axis=0)

    def has(self, names: tuple[str, ...]) -> Bools:
        """Which papers are in any of these groups; names that no paper has are in none."""
        wanted = np.isin(np.array(self.names, object), names)
        if self.sets is not None:
            hit = np.zeros(self.n_sets, bool)
            hit[self.sets[0][wanted[self.sets[1]]]] = True
            wanted = hit
        return np.asarray(wanted[self.of_paper])

    def member(self, paper: Ints) -> Bools:
        """Which of these papers are in which group. *Shape:* (len(paper), n_groups)."""
        table = np.zeros((self.n_sets, len(self.names)), bool)
        table[self.sets or (np.arange(len(self.names)),) * 2] = True
        return np.asarray(table[self.of_paper[paper]])


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """The claims of one role, one entry each, by paper; rejected ones have score -1.

    Args:
        paper, dataset: their places in the cube.
        score: with people's decisions.
        predicted: by the annotator alone; -1 where it found nothing.
        named: the dataset is named.
        implied: a model implies it; it may be named too, or, where a person added it, neither.
        cited: its paper is cited.
    """

    paper: Ints
    dataset: Ints
    score: NDArray[np.float32]
    predicted: NDArray[np.float32]
    named: Bools
    implied: Bools
    cited: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Papers, newest first, and the claims on them, as arrays. Ask it by functions, not by hand.

    Args:
        ids: work ids.
        year: of publication; 0 where unknown.
        full_text: more than title and abstract was read.
        has_references: the record has any.
        groups: of the papers, by year, venue and so on.
        datasets: catalogue ids that any claim has, sorted.
        images: what each of these holds, as places in `IMAGES`.
        uses: the claims, by role.
        cited: pairs of (paper, dataset) by a citation, in the same columns as claims.
        image_of: what the datasets of the catalogue hold, also those that no claim has.
        released: their year of publication.
    """

    ids: pa.Array
    year: Ints
    full_text: Bools
    has_references: Bools
    groups: Mapping[By, Groups]
    datasets: tuple[str, ...]
    images: Ints
    uses: Mapping[Role, Uses]
    cited: tuple[Ints, Ints]
    image_of: Mapping[str, str]
    released: Mapping[str, int]

    @property
    def n_papers(self) -> int:
        """How many papers there are."""
        return len(self.year)


_PAPERS = """CREATE TEMP TABLE papers AS SELECT
    CAST(row_number() OVER (ORDER BY year DESC NULLS LAST, date DESC NULLS LAST, id) - 1 AS INT)
        AS paper,
    id, coalesce(year, 0) AS year, id IN (SELECT id FROM full_texts) AS full_text,
    coalesce(len("references"), 0) > 0 AS has_references
FROM works"""
_SINGLE = """SELECT coalesce(CAST(works.{column} AS VARCHAR), '{unknown}') AS grp
    FROM papers JOIN works USING (id) ORDER BY paper"""
# Papers share few sets of countries or topics.
_LISTED = """CREATE TEMP TABLE listed AS WITH given AS (
    SELECT paper, CASE WHEN len({column}) > 0 THEN list_sort(list_distinct({column}))
        ELSE ['{unknown}'] END AS names
    FROM papers LEFT JOIN {table} ON {table}.{key} = papers.id
), sets AS (
    SELECT names, CAST(row_number() OVER (ORDER BY names) - 1 AS INT) AS place
    FROM (SELECT DISTINCT names FROM given)
) SELECT paper, names, place FROM given JOIN sets USING (names)"""
_USES = """SELECT paper, dataset, CAST(CASE WHEN state = 'rejected' THEN -1 ELSE score END AS FLOAT)
        AS score, CAST(coalesce(predicted_score, -1) AS FLOAT) AS predicted,
        named, implied, coalesce(cited, FALSE) AS cited
    FROM (SELECT * FROM claims WHERE role = $role) AS claims
    JOIN papers ON papers.id = claims.work_id
    LEFT JOIN (SELECT work_id, dataset, score AS predicted_score FROM predicted
        WHERE role = $role) USING (work_id, dataset)
    ORDER BY paper, dataset"""


def cube(
    found: pa.Table,
    works: pa.Table,
    *,
    predicted: pa.Table | None = None,
    full_texts: Iterable[str] = (),
    citing: pa.Table | None = None,
    topics: pa.Table | None = None,
    catalogue: Catalogue | None = None,
) -> Cube:
    """The cube of these papers and the claims on them.

    Args:
        found: `Claim` rows. Rejected ones do not count.
        works: `Work` rows of the papers that were annotated: the denominator.
        predicted: columns work_id, dataset, role, score: what the annotator alone said, before
            people decided; what `found` says if None. Corrections compare it with gold labels.
        full_texts: ids of the works of which more than title and abstract was read.
        citing: columns work_id, dataset, as `data.claims.citing` gives them; none if None.
        topics: columns work_id, modality, organ, task (lists of names), as `survey_topics` gives
            them; what titles and abstracts say if None.
        catalogue: tells natural from medical images; the packaged one if None.
    """
    known = catalogue or _packaged()
    with duckdb.connect() as db:
        db.register("claims", found)
        db.register("works", works)
        db.register("topics", topics_of(db, "works") if topics is None else topics)
        db.register("predicted", found if predicted is None else predicted)
        db.register("citing", _NONE_CITED if citing is None else citing)
        db.register("full_texts", pa.table({"id": pa.array(list(full_texts), pa.string())}))
        db.execute(_PAPERS)
        papers = db.sql("SELECT * FROM papers ORDER BY paper").to_arrow_table()
        names = _names(db)
        groups = {by: _groups(db, by, papers.num_rows) for by in BYS}
        uses = {role: _uses(db, role, names) for role in ROLES}
        pairs = db.sql(
            "SELECT paper, dataset FROM citing JOIN papers ON papers.id = work_id ORDER BY ALL"
        ).to_arrow_table()
    image_of = {each.id: each.images or UNKNOWN for each in known.datasets.values()}
    image_of |= {NATURAL: "natural", MEDICAL: "medical"}
    places = [IMAGES.index(image_of.get(name, UNKNOWN)) for name in names]
    return Cube(
        ids=papers["id"].combine_chunks(),
        year=_array(papers, "year").astype(np.int32),
        full_text=_array(papers, "full_text"),
        has_references=_array(papers, "has_references"),
        groups=MappingProxyType(groups),
        datasets=names,
        images=np.array(places, np.int32),
        uses=MappingProxyType(uses),
        cited=(_array(pairs, "paper"), _codes(pairs, "dataset", names)),
        image_of=MappingProxyType(image_of),
        released=MappingProxyType(
            {each.id: each.year for each in known.datasets.values() if each.year}
        ),
    )


@cache
def _packaged() -> Catalogue:
    return load()


_NONE_CITED = pa.table({name: pa.array([], pa.string()) for name in ("work_id", "dataset")})


def _array(table: pa.Table, column: str) -> Any:
    return table[column].combine_chunks().to_numpy(zero_copy_only=False)


def _codes(table: pa.Table, column: str, names: tuple[str, ...]) -> Ints:
    """The place in `names` of each value."""
    import pyarrow.compute as pc

    found = pc.index_in(table[column], value_set=pa.array(names, pa.string()))
    return np.asarray(found.combine_chunks().to_numpy(zero_copy_only=False), np.int32)


def _names(db: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    rows = db.sql(
        "SELECT dataset FROM claims UNION SELECT dataset FROM citing ORDER BY dataset"
    ).fetchall()
    return tuple(name for (name,) in rows)


def _groups(db: duckdb.DuckDBPyConnection, by: By, n_papers: int) -> Groups:
    if by == "all":
        return Groups(("all",), np.zeros(n_papers, np.int32))
    if by in ("year", "venue"):
        table = db.sql(_SINGLE.format(column=by, unknown=UNKNOWN)).to_arrow_table()
        names = _sorted(table)
        return Groups(names, _codes(table, "grp", names))
    return _listed(db, *_LISTS[by])


def _sorted(table: pa.Table) -> tuple[str, ...]:
    return tuple(sorted(table["grp"].unique().to_pylist()))


def _listed(db: duckdb.DuckDBPyConnection, column: str, table: str, key: str) -> Groups:
    """Groups of which a paper has a list."""
    given = {"column": column, "table": table, "key": key, "unknown": UNKNOWN}
    db.execute(_LISTED.format(**given))
    of_paper = db.sql("SELECT place FROM listed ORDER BY paper").to_arrow_table()
    pairs = db.sql(
        "SELECT unnest(names) AS grp, place FROM (SELECT DISTINCT names, place FROM listed) "
        "ORDER BY grp, place"
    ).to_arrow_table()
    db.execute("DROP TABLE listed")
    names = _sorted(pairs)
    sets = (_array(pairs, "place"), _codes(pairs, "grp", names))
    return Groups(names, _array(of_paper, "place"), sets)


def _uses(db: duckdb.DuckDBPyConnection, role: Role, names: tuple[str, ...]) -> Uses:
    table = db.sql(_USES, params={"role": role}).to_arrow_table()
    return Uses(
        _array(table, "paper").astype(np.int32),
        _codes(table, "dataset", names),
        *(_array(table, name) for name in ("score", "predicted", "named", "implied", "cited")),
    )


def survey_cube(db: duckdb.DuckDBPyConnection) -> Cube:
    """The cube of a survey's annotated papers. Dear (seconds at 100,000 papers): keep it.

    Args:
        db: a connection from `Corpus.connect`.
    """
    papers = dataset_papers(db)
    # What is not needed stays on disk: the texts are larger than all the rest.
    works = db.sql(
        'SELECT id, year, date, venue, countries, "references" FROM included '
        "SEMI JOIN annotated ON included.id = annotated.work_id"
    ).to_arrow_table()
    uses = db.sql(
        "SELECT work_id, dataset, role, implied, score FROM uses SEMI JOIN included ON id = work_id"
    ).to_arrow_table()
    decisions = db.sql("SELECT * FROM decisions SEMI JOIN included ON id = work_id")
    predicted = db.sql(
        "SELECT work_id, dataset, role, max(score) AS score FROM uses GROUP BY ALL"
    ).to_arrow_table()
    topics = survey_topics(db)
    return cube(
        claims(uses, decisions.to_arrow_table(), works=works, papers=papers),
        works,
        predicted=predicted,
        full_texts=topics.filter(topics["full_text"])["work_id"].to_pylist(),
        citing=cited_by(works, papers),
        topics=topics,
        catalogue=survey_catalogue(db),
    )
