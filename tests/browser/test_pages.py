"""The pages in a real browser, served by the real command."""

from collections.abc import Iterator

import pytest
from builders import survey, use, work
from served import CHROMIUM, serving

from data.corpus import Corpus

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: install chromium"),
]
TEXT = "We pre-train on ImageNet and test on BraTS."


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    works = [work(f"W{n}", title=f"Paper {n}", abstract=TEXT, year=2020 + n) for n in range(4)]
    uses = [
        made
        for n in range(4)
        for made in (
            use(f"W{n}", start=16, end=24, evidence=TEXT),
            use(f"W{n}", "BraTS", "target", start=37, end=42, evidence=TEXT),
        )
    ]
    return survey(tmp_path_factory.mktemp("survey") / "s", works, uses)


@pytest.fixture(scope="module")
def url(corpus: Corpus) -> Iterator[str]:
    with serving(corpus.path, "review", "--reviewer", "ann") as server:
        yield server.url


@pytest.fixture
def tab(browser: object) -> Iterator[object]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})  # type: ignore[attr-defined]
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    page.close()


def opened(tab: object, address: str, heading: str) -> object:
    tab.goto(address)  # type: ignore[attr-defined]
    tab.get_by_role("heading", name=heading).wait_for()  # type: ignore[attr-defined]
    return tab


@pytest.mark.parametrize(
    ("path", "heading", "shown"),
    [
        ("review", "Review", ".panel mark.own"),
        ("adjudicate", "Adjudicate", ".panel"),
        ("agreement", "Agreement", "[data-testid=stAlert]"),
    ],
)
def test_every_page_opens_by_its_address(
    tab: object, url: str, path: str, heading: str, shown: str
) -> None:
    page = opened(tab, f"{url}/{path}", heading)
    page.locator(shown).first.wait_for()  # type: ignore[attr-defined]
    assert page.get_by_test_id("stException").count() == 0  # type: ignore[attr-defined]
    assert page.faults == []  # type: ignore[attr-defined]
