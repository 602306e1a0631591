"""The review panel in a real browser: no decision is lost, doubled, or given to another item."""

import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, decision, survey, use, work
from served import CHROMIUM, Server, serving, slowed
from spoken import NAMED

from data.corpus import Corpus
from data.records import Decision

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: install chromium"),
]
TEXT = "We pre-train on ImageNet and test on BraTS. Our code is open."
SENTENCE = "We pre-train on ImageNet and test on BraTS."
EVIL = "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>"
DECIDES = {"a": "accept", "x": "reject", "k": "skip"}
# What was on the screen when a key was pressed, as the page itself saw it.
WATCH = """window.seen = []; window.addEventListener('keydown', event => {
    const host = document.querySelector('[data-testid=stBidiComponentIsolated]');
    window.seen.push([host.shadowRoot.querySelector('.panel').dataset.item, event.key]);
}, true)"""


def papers(path: Path, n: int) -> Corpus:
    """A survey of n papers with two claims each."""
    works = [work(f"W{i}", title=f"Paper {i}", abstract=TEXT) for i in range(n)]
    uses = [
        made
        for i in range(n)
        for made in (
            use(f"W{i}", start=16, end=24, evidence=SENTENCE, score=0.6),
            use(f"W{i}", "BraTS", "target", start=37, end=42, evidence=SENTENCE, score=0.6),
        )
    ]
    return survey(path, works, uses)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return papers(tmp_path_factory.mktemp("survey") / "s", 300)


@pytest.fixture(scope="module")
def server(corpus: Corpus) -> Iterator[Server]:
    with serving(corpus.path, "dashboard", "--review") as running:
        yield running


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """One reviewer's browser: its tabs share what it stores."""
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    yield made
    made.close()


def opened(context: Any, url: str, reviewer: str, **query: str) -> Any:
    """A tab with the panel and its first item."""
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    told = "".join(f"&{name}={value}" for name, value in query.items())
    page.goto(f"{url}/review?reviewer={reviewer}{told}")
    page.locator(".panel[data-ahead=all]:not([data-item=''])").wait_for()
    page.get_by_text("all saved").wait_for()
    return page


def item(page: Any) -> str:
    return str(page.locator(".panel").get_attribute("data-item"))


def rested(page: Any) -> None:
    """Wait until the server has acknowledged everything."""
    page.get_by_text("all saved").wait_for(timeout=60_000)
    assert page.faults == []


def made_by(corpus: Corpus, reviewer: str) -> list[Decision]:
    with corpus.journal() as journal:
        decisions, _ = journal.decisions_since(0)
    return [decision for decision in decisions if decision.reviewer == reviewer]


def told(decisions: list[Decision]) -> list[list[str]]:
    keys = {verdict: key for key, verdict in DECIDES.items()}
    return [
        [f"{d.work_id}|{d.proposed_dataset}|{d.proposed_role}", keys[d.verdict]] for d in decisions
    ]


def raced(page: Any, keys: str, spacing_ms: int = 30) -> list[list[str]]:
    """Type, and what was on the screen at each key."""
    page.evaluate(WATCH)
    page.keyboard.type(keys, delay=spacing_ms)
    rested(page)
    return page.evaluate("window.seen")  # type: ignore[no-any-return]


def test_sixty_keys_in_two_seconds_are_sixty_decisions_on_what_was_shown(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "fast")
    seen = raced(page, "axk" * 20)
    assert len({shown for shown, _ in seen}) == 60
    assert told(made_by(corpus, "fast")) == seen


def test_a_slow_server_changes_nothing_of_it(corpus: Corpus, server: Server, context: Any) -> None:
    with slowed(server.port, 0.2) as url:
        page = opened(context, url, "slow")
        seen = raced(page, "ax" * 30)
    assert len({shown for shown, _ in seen}) == 60
    assert told(made_by(corpus, "slow")) == seen


def test_kill_9_while_typing_keeps_every_decision_once(tmp_path: Path, context: Any) -> None:
    corpus = papers(tmp_path / "s", 100)
    chance = random.Random(5)
    with serving(corpus.path, "review", "--reviewer", "ann") as server:
        page = opened(context, server.url, "")
        page.evaluate(WATCH)
        for _ in range(3):

            def strike() -> None:
                time.sleep(chance.uniform(0.05, 0.9))
                server.kill()
                server.start()

            struck = threading.Thread(target=strike)
            struck.start()
            page.keyboard.type("axkxa" * 5, delay=30)
            struck.join()
        rested(page)
        seen = page.evaluate("window.seen")
    decisions = made_by(corpus, "ann")
    assert sorted(told(decisions)) == sorted(seen)
    assert len(seen) == 75  # some items twice: each new server may mix hidden repeats in


def test_a_reload_goes_on_where_it_was_and_sends_what_was_not_saved(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "again")
    first = item(page)
    # Nothing that the page sends arrives, as if it were closed before it could be sent.
    page.evaluate("WebSocket.prototype.send = () => {}")
    page.keyboard.type("ax")
    third = item(page)
    assert len({first, third}) == 2
    page.reload()
    page.locator(f".panel[data-item='{third}']").wait_for()
    rested(page)
    assert [d.verdict for d in made_by(corpus, "again")] == ["accept", "reject"]


def test_two_tabs_of_one_reviewer_share_the_queue(
    corpus: Corpus, server: Server, context: Any
) -> None:
    one, other = (opened(context, server.url, "tabs") for _ in range(2))
    assert item(one) == item(other)
    for page in (one, other, other, one):
        shown = item(page)
        page.keyboard.press("a")
        page.locator(f".panel:not([data-item='{shown}'])").wait_for()
        rested(one)
        rested(other)
    decided = [shown for shown, _ in told(made_by(corpus, "tabs"))]
    assert len(decided) == len(set(decided)) == 4


def test_two_reviewers_at_once_keep_their_own(corpus: Corpus, server: Server, browser: Any) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [
        opened(context, server.url, name)
        for context, name in zip(contexts, ("bea", "cyn"), strict=True)
    ]
    for page in pages:
        page.evaluate(WATCH)
    for key in "axax":
        for page in pages:
            page.keyboard.press(key)
    for page, name in zip(pages, ("bea", "cyn"), strict=True):
        rested(page)
        assert told(made_by(corpus, name)) == page.evaluate("window.seen")
    for context in contexts:
        context.close()


def test_undo_brings_the_item_back_also_after_a_reload(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "undoer")
    first = item(page)
    page.keyboard.press("a")
    page.keyboard.press("u")
    assert item(page) == first
    page.keyboard.press("x")
    rested(page)
    page.reload()
    page.locator(".panel .past li").wait_for()
    page.keyboard.press("u")
    page.locator(f".panel[data-item='{first}']").wait_for()
    rested(page)
    made = made_by(corpus, "undoer")
    assert [d.verdict for d in made] == ["accept", "undo", "reject", "undo"]
    assert [d.undoes for d in made if d.undoes] == [made[0].uid, made[2].uid]


def test_a_role_key_corrects_and_the_proposed_one_accepts(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "roles")
    page.keyboard.type("ss")
    rested(page)
    made = made_by(corpus, "roles")
    said = {(d.proposed_role, d.verdict, d.role) for d in made}
    assert said == {("source", "accept", "source"), ("target", "edit", "source")}


def test_another_dataset_is_found_by_any_of_its_names(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "picker")
    page.keyboard.press("d")
    page.keyboard.type("ilsvrc 2012")
    playwright.expect(page.locator("[role=option][aria-selected=true]")).to_contain_text("ImageNet")
    page.keyboard.press("Control+a")
    page.keyboard.type("cr")  # what Streamlit takes for its own where it may
    page.keyboard.press("Control+a")
    page.keyboard.type("nih chestx-ray14")
    page.keyboard.press("Enter")
    page.keyboard.press("k")  # the next key meets the next item
    rested(page)
    made = made_by(corpus, "picker")
    assert [(d.verdict, d.dataset) for d in made] == [("edit", "ChestX-ray14"), ("skip", None)]


def test_selected_words_are_added_with_their_place(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "adder")
    shown = item(page)
    page.get_by_text("Our code is open.").evaluate(
        "(node, at) => getSelection().setBaseAndExtent(node.lastChild, at, node.lastChild, at + 4)",
        " Our code is open.".index("code"),
    )
    page.keyboard.press("i")
    page.keyboard.press("Control+a")
    page.keyboard.type("CheXpert")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="remove CheXpert as source").wait_for()
    rested(page)
    assert item(page) == shown
    (made,) = made_by(corpus, "adder")
    assert (made.verdict, made.dataset, made.role) == ("add", "CheXpert", "source")
    assert (made.section, TEXT[made.start : made.end]) == ("abstract", "code")


# --- gold papers ------------------------------------------------------------------------------

GOLD_TEXT = "We adapt SAM and compare BraTS with INSIGHT. A pretrained network is used."


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    works = [work(f"W{n}", title=f"Paper {n}", abstract=GOLD_TEXT) for n in range(9)]
    corpus = survey(tmp_path_factory.mktemp("survey") / "gold", works)
    with corpus.journal() as journal:
        frame = [(each.id, "all", place) for place, each in enumerate(works)]
        journal.set_frame(frame, n=9, seed=0, now=NOW)
    return corpus


@pytest.fixture(scope="module")
def gold_server(gold: Corpus) -> Iterator[Server]:
    with serving(gold.path, "dashboard", "--review") as running:
        yield running


def select(page: Any, words: str) -> None:
    page.get_by_text(GOLD_TEXT).evaluate(
        "(node, [at, n]) => getSelection().setBaseAndExtent("
        "node.firstChild, at, node.firstChild, at + n)",
        [GOLD_TEXT.index(words), len(words)],
    )


def uses_of(corpus: Corpus, reviewer: str) -> list[tuple[str, Any, Any, str | None]]:
    """Each event as its verdict, dataset, role and note."""
    return [(d.verdict, d.dataset, d.role, d.note) for d in made_by(corpus, reviewer)]


def options(page: Any) -> list[str]:
    return [str(text) for text in page.locator("[role=option] bdi").all_text_contents()]


def test_a_model_stands_for_its_training_set(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "modeller", queue="gold")
    select(page, "SAM")
    page.keyboard.press("t")
    first = page.locator("[role=option][aria-selected=true]")
    playwright.expect(first).to_have_text("SA-1B training set of SAM, as source")
    page.keyboard.press("Enter")
    rested(page)
    (made,) = made_by(gold, "modeller")
    assert (made.dataset, made.role) == ("SA-1B", "source")  # a model implies nothing else
    assert GOLD_TEXT[made.start : made.end] == "SAM"


def test_words_that_are_no_name_are_first_as_written(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "writer", queue="gold")
    select(page, "INSIGHT")
    page.keyboard.press("t")
    shown = options(page)
    assert (shown[0], "model:MedImageInsight" in shown) == ("INSIGHT", True)
    page.keyboard.press("Enter")
    select(page, "A pretrained network")
    page.keyboard.press("s")
    page.keyboard.press("ArrowUp")  # round to the last: what the text does not name
    page.keyboard.press("Enter")
    rested(page)
    assert uses_of(gold, "writer") == [
        ("add", "INSIGHT", "target", None),
        ("add", "unspecified", "source", None),
    ]


def test_the_type_ahead_takes_words_as_the_terminal_does(gold_server: Server, context: Any) -> None:
    page = opened(context, gold_server.url, "typist", queue="gold")
    page.keyboard.press("i")
    for words, found in NAMED.items():
        page.get_by_role("combobox", name="Name of the dataset").fill(words)
        assert options(page)[: len(found)] == [dataset for dataset, _ in found]
        assert found or words in options(page)  # as written


@pytest.mark.parametrize(
    ("typed", "place", "dataset"),
    [
        ("chexp", 0, "CheXpert"),  # typed by hand, a beginning
        ("White Matter Hyperintensities (WMH) challenge", 1, "WMH"),
        ("TCGA-CRCk", 1, "TCGA"),
    ],
)
def test_a_name_that_is_not_quite_one_is_offered(
    gold_server: Server, context: Any, typed: str, place: int, dataset: str
) -> None:
    page = opened(context, gold_server.url, "near", queue="gold")
    page.keyboard.press("i")
    page.get_by_role("combobox", name="Name of the dataset").fill(typed)
    assert options(page)[place] == dataset


def test_a_note_keeps_the_selection_and_goes_with_its_words(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "annotator", queue="gold")
    select(page, "BraTS")
    page.keyboard.press("n")
    page.get_by_text("Note on \u201cBraTS\u201d, kept with what you add for these words").wait_for()
    page.keyboard.type("2021")
    page.keyboard.press("Enter")
    page.keyboard.press("t")
    select(page, "INSIGHT")
    page.keyboard.press("n")
    page.keyboard.type("whose?")
    page.keyboard.press("Enter")
    select(page, "BraTS")
    page.keyboard.press("s")  # the note is on other words
    playwright.expect(page.locator(".side")).to_contain_text("\u201cINSIGHT\u201d whose?")
    page.keyboard.press("f")
    rested(page)
    assert uses_of(gold, "annotator") == [
        ("add", "BraTS", "target", "2021"),
        ("add", "BraTS", "source", None),
        ("done", None, None, "\u201cINSIGHT\u201d: whose?"),
    ]


def test_a_button_clicked_from_the_note_meets_the_selection(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "clicker", queue="gold")
    select(page, "BraTS")
    page.get_by_role("button", name="Note").click()
    page.keyboard.type("v")
    page.get_by_role("button", name="Target").click()
    rested(page)
    assert uses_of(gold, "clicker") == [("add", "BraTS", "target", "v")]


def test_the_same_use_is_added_once_and_escape_keeps_the_selection(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "twice", queue="gold")
    select(page, "BraTS")
    page.keyboard.press("i")
    page.keyboard.press("Escape")
    page.keyboard.type("ss")
    playwright.expect(page.locator(".told")).to_have_text("BraTS as source is added already.")
    page.keyboard.press("t")  # it may well be both
    rested(page)
    assert [(d.dataset, d.role) for d in made_by(gold, "twice")] == [
        ("BraTS", "source"),
        ("BraTS", "target"),
    ]


def test_a_closed_paper_is_opened_again_changed_and_stays_closed(
    gold: Corpus, gold_server: Server, context: Any
) -> None:
    page = opened(context, gold_server.url, "closer", queue="gold")
    first = item(page)
    add = page.get_by_role("button", name="Add missed")
    select(page, "BraTS")
    playwright.expect(add).to_have_class("armed")
    page.keyboard.press("t")
    page.keyboard.press("f")
    playwright.expect(add).not_to_have_class("armed")
    second = item(page)
    page.keyboard.press("f")
    third = item(page)
    assert len({first, second, third}) == 3
    page.keyboard.type("bb")
    assert item(page) == first
    page.get_by_text("You closed this paper").wait_for()
    page.get_by_role("button", name="remove BraTS as target").click()
    select(page, "BraTS")
    page.keyboard.type("sf")
    assert item(page) == third
    page.get_by_role("button", name=f"open: finished Paper {second[1]}").click()
    assert item(page) == second
    page.keyboard.press("f")
    assert item(page) == third
    rested(page)
    assert page.locator(".panel [data-at=done]").inner_text() == "2"
    assert [verdict for verdict, *_ in uses_of(gold, "closer")] == [
        *("add", "done", "done"),
        *("undo", "add"),
    ]


def test_the_address_names_a_closed_paper(gold: Corpus, gold_server: Server, context: Any) -> None:
    page = opened(context, gold_server.url, "addressed", queue="gold")
    first = item(page)
    page.keyboard.press("f")
    second = item(page)
    rested(page)
    paper = first.strip("|")
    again = opened(context, gold_server.url, "addressed", queue="gold", paper=paper)
    assert item(again) == first
    again.get_by_text("You closed this paper").wait_for()
    again.keyboard.press("n")
    again.keyboard.type("read twice")
    again.keyboard.press("Enter")
    again.keyboard.press("f")
    assert item(again) == second
    rested(again)
    assert [(d.verdict, d.note) for d in made_by(gold, "addressed")] == [
        ("done", None),
        ("note", "read twice"),
    ]
    absent = opened(context, gold_server.url, "addressed", queue="gold", paper="W99")
    absent.get_by_text("W99 is no paper of this queue").first.wait_for()
    assert item(absent) == second


# --- what happens beside ----------------------------------------------------------------------


def test_a_note_goes_with_its_decision_and_keys_in_a_field_are_text(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "noter")
    page.keyboard.press("n")
    page.keyboard.type("axk")
    page.keyboard.press("Enter")
    page.keyboard.type("aa")
    rested(page)
    assert [d.note for d in made_by(corpus, "noter")] == ["axk", None]


def test_a_held_key_decides_once(corpus: Corpus, server: Server, context: Any) -> None:
    page = opened(context, server.url, "holder")
    for _ in range(5):  # Playwright marks what follows a first keydown as repeated
        page.keyboard.down("a")
    page.keyboard.up("a")
    page.get_by_role("button", name="Reject").focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    rested(page)
    assert [d.verdict for d in made_by(corpus, "holder")] == ["accept", "reject"]


def test_keys_can_be_changed_and_stay_changed(corpus: Corpus, server: Server, context: Any) -> None:
    page = opened(context, server.url, "remapper")
    page.keyboard.press("?")
    page.get_by_role("button", name="change the key of Accept").click()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("j")
    rested(page)
    page.reload()
    page.locator(".panel .past li").wait_for()
    page.keyboard.press("j")
    rested(page)
    assert [d.verdict for d in made_by(corpus, "remapper")] == ["accept", "accept"]


def test_texts_from_the_web_stay_text(tmp_path: Path, context: Any) -> None:
    long = "word \U0001f9e0 \u05e9\u05dc\u05d5\u05dd " * 17_000 + f"{EVIL} ImageNet at the end."
    start = long.rindex("ImageNet")
    named = use("W1", EVIL, "source", start=start, end=start + 8, evidence=long[start:])
    fields = {"title": EVIL, "abstract": long, "venue": EVIL, "doi": f"10.1/{EVIL}"}
    corpus = survey(tmp_path / "s", [work("W1", **fields)], [named])
    with serving(corpus.path, "review", "--reviewer", EVIL) as server:
        page = opened(context, server.url, "")
        playwright.expect(page.locator(".panel .title")).to_have_text(EVIL)
        mark = page.locator(".panel mark.own")
        playwright.expect(mark).to_have_text("ImageNet")
        playwright.expect(mark).to_be_in_viewport()  # scrolled to, past 50,000 words
        page.keyboard.press("a")
        page.get_by_text("Nothing waits for your decision.").first.wait_for()
        rested(page)
        assert page.title() != "hit"
        assert page.locator(".panel img, .panel script").count() == 0
    (made,) = made_by(corpus, EVIL)
    assert made.dataset == EVIL


def test_a_locked_journal_is_told_and_nothing_is_lost(
    corpus: Corpus, server: Server, context: Any
) -> None:
    page = opened(context, server.url, "waiter")
    with sqlite3.connect(corpus.path / "journal.db", isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        page.keyboard.type("ax")
        page.get_by_text("2 not saved yet, kept in this browser").wait_for()
        holder.execute("ROLLBACK")
    rested(page)
    assert [d.verdict for d in made_by(corpus, "waiter")] == ["accept", "reject"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(server: Server, browser: Any, scheme: str, width: int) -> None:
    axe_core = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = opened(context, server.url, "axe")
    states: list[tuple[str, Callable[[], object]]] = [
        ("item", lambda: None),
        ("keys", lambda: page.keyboard.press("?")),
        ("guidelines", lambda: (page.keyboard.press("Escape"), page.keyboard.press("g"))),
        ("other dataset", lambda: (page.keyboard.press("Escape"), page.keyboard.press("d"))),
    ]
    found = []
    for state, reach in states:
        reach()
        results = axe_core.Axe().run(page, context=".stMain")
        found += [
            (state, violation["id"], [node["target"] for node in violation["nodes"]])
            for violation in results.response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    context.close()
    assert found == []


def test_the_next_item_is_announced_and_focus_stays(server: Server, context: Any) -> None:
    page = opened(context, server.url, "listener")
    button = page.get_by_role("button", name="k Skip", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    spoken = page.locator("[aria-live=polite]")
    playwright.expect(spoken).to_contain_text(
        re.compile(r"Does this paper use \w+ as \w+\? .*Paper")
    )
    playwright.expect(button).to_be_focused()
    rested(page)


def in_dispute(path: Path) -> Corpus:
    """Gold papers closed by two: ann has COCO as source in each, bob as target."""
    corpus = survey(path, [work(f"W{n}", title=f"Paper {n}", abstract=TEXT) for n in range(2)])
    with corpus.journal() as journal:
        journal.set_frame([(f"W{n}", "all", n) for n in range(2)], n=2, seed=0, now=NOW)
        for n, (who, role) in product(range(2), (("ann", "source"), ("bob", "target"))):
            gold = {"work_id": f"W{n}", "queue": "gold", "blind": True, "reviewer": who}
            gold |= {"proposed_dataset": None, "proposed_role": None}
            place = {"section": "abstract", "order": 0, "start": 16, "end": 24}
            add = {"dataset": "COCO", "role": role, **place}
            journal.decide([decision(f"{who}{n}", "add", **add, **gold)])
            journal.decide([decision(f"{who}{n}d", "done", note=f"as {who} reads", **gold)])
    return corpus


def test_an_adjudicator_settles_each_dispute_once(tmp_path: Path, context: Any) -> None:
    corpus = in_dispute(tmp_path / "s")
    with serving(corpus.path, "dashboard", "--review") as server:
        # The queue has a page of its own, and all pages are in the menu.
        page = opened(context, server.url, "cyn", queue="adjudicate")
        assert "/adjudicate" in page.url
        for name in ("Adjudicate", "Agreement"):
            page.get_by_role("link", name=name, exact=True).wait_for()
        expect = playwright.expect
        said = page.locator(".panel .others")
        expect(said).to_contain_text("ann it is COCO as source")
        expect(said).to_contain_text("in this paper: COCO target")
        expect(said.locator("q")).to_have_text(["as ann reads", "as bob reads"])
        expect(page.locator(".panel mark.own")).to_have_text("ImageNet")
        page.keyboard.press("n")
        page.keyboard.type("tested on it")
        page.keyboard.press("Enter")
        paper = item(page).split("|")[0]
        page.keyboard.press("t")  # COCO is a target: no to the source, yes to the target
        assert item(page).split("|")[0] != paper
        rested(page)
        expect(page.locator(".panel [data-at=total]")).to_have_text("3")
        page.keyboard.press("u")
        assert item(page) == f"{paper}|COCO|source"
        expect(page.locator(".panel [data-at=notes]")).to_have_text("tested on it")
        rested(page)
        expect(page.locator(".panel [data-at=total]")).to_have_text("4")
        page.keyboard.press("k")
        skipped, shown = f"{paper}|COCO|source", item(page)
        rested(page)
        page.reload()
        page.locator(f".panel[data-item='{shown}']").wait_for()
        rested(page)
        page.keyboard.type("kkk")
        page.get_by_text("Nothing waits for your decision.").first.wait_for()
        rested(page)
    made = made_by(corpus, "cyn")
    assert [d.verdict for d in made] == ["edit", "undo", "skip", "skip", "skip", "skip"]
    on = [f"{d.work_id}|{d.proposed_dataset}|{d.proposed_role}" for d in made[2:]]
    assert on[0] == skipped
    assert len(set(on)) == 4


def came(browser: Any, server: Server, **headers: str) -> Any:
    """A page asked for through a proxy that sends these headers."""
    told = {"X-Forwarded-For": "10.9.8.7"} | {f"X-{name}": value for name, value in headers.items()}
    page = browser.new_context(extra_http_headers=told).new_page()
    page.goto(f"{server.url}/review?reviewer=eve")
    return page


def test_whoever_comes_by_a_proxy_that_is_not_configured_cannot_write(
    corpus: Corpus, server: Server, browser: Any
) -> None:
    page = came(browser, server, User="eve")
    page.get_by_text("Nobody can review here").wait_for()
    assert page.locator(".panel").count() == 0
    assert made_by(corpus, "eve") == []
    page.context.close()


def test_a_proxy_that_is_configured_names_the_reviewer(corpus: Corpus, browser: Any) -> None:
    options = ("--review", "--user-header", "X-User", "--proxy", "127.0.0.1")
    with serving(corpus.path, "dashboard", *options) as server:
        nameless = came(browser, server)
        nameless.get_by_text("Nobody can review here").wait_for()
        named = came(browser, server, User="zoe")
        named.locator(".panel[data-ahead=all]:not([data-item=''])").wait_for()
        named.keyboard.press("k")
        named.get_by_text("saving").or_(named.get_by_text("all saved")).wait_for()
        named.reload()
        named.locator(".panel .past li").wait_for()
        for page in (nameless, named):
            page.context.close()
    assert [d.verdict for d in made_by(corpus, "zoe")] == ["skip"]
    assert made_by(corpus, "eve") == []
