"""The pages in a real browser: links, files, filters, drill-down, accessibility."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import NOW, survey, use, work
from served import CHROMIUM, serving

from data.corpus import Corpus
from data.release import check, release

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: install chromium"),
]
TEXT = "We pre-train on ImageNet and test on BraTS, an MRI set."
_PAGES = {
    "": "Which datasets do papers transfer from?",
    "trends": "Trends",
    "sources": "Sources",
    "matrix": "Source by modality",
    "flow": "Flow",
    "compare": "Compare",
    "choose": "Choose a source",
    "dataset": "Dataset",
    "papers": "Papers and evidence",
    "paper?id=W1": "Paper",
    "quality": "Quality",
    "method": "Method and data",
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released survey: papers of four years, ImageNet and RadImageNet to BraTS."""
    folder = tmp_path_factory.mktemp("survey")
    works = [
        work(f"W{n}", title=f"Paper {n}", abstract=TEXT, year=2020 + n % 4, venue=f"V{n % 2}")
        for n in range(140)
    ]
    uses = []
    for n in range(0, 140, 2):
        source = "RadImageNet" if n % 7 == 0 else "ImageNet"
        uses.append(use(f"W{n}", source, start=16, end=24, surface="ImageNet", evidence=TEXT))
        uses.append(use(f"W{n}", "BraTS", "target", start=37, end=42, evidence=TEXT))
    corpus = survey(folder / "s", works, uses)
    release(Corpus(corpus.path), folder / "r", now=NOW, version="0.1.0")
    return folder / "r"


@pytest.fixture(scope="module")
def url(snapshot: Path) -> Iterator[str]:
    with serving(snapshot, "dashboard", "--snapshot", str(snapshot)) as server:
        yield server.url


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page.set_default_timeout(60_000)
    page.faults = []
    page.strangers = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda asked: page.strangers.append(asked.url))
    yield page
    page.close()


def opened(tab: Any, address: str, heading: str) -> Any:
    tab.goto(address)
    tab.get_by_role("heading", name=heading, exact=True).first.wait_for()
    rested(tab)
    return tab


def rested(tab: Any) -> None:
    tab.locator('[data-test-script-state="notRunning"]').first.wait_for()


def _grave(page: Any) -> list[tuple[str, str, str]]:
    """Serious and critical findings of axe: rule, the first element, what to do."""
    return [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"][:200])
        for each in axe.Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", _PAGES)
def test_every_page_is_accessible_in_light_and_dark(tab: Any, url: str, path: str) -> None:
    page = opened(tab, f"{url}/{path}", _PAGES[path])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "dark => (getComputedStyle(document.querySelector('.stApp')).backgroundColor"
            " === 'rgb(255, 255, 255)') !== dark",
            arg=scheme == "dark",
        )
        for _ in range(3):  # while something fades in, its words are as faint as the fade
            grave = _grave(page)
            if not grave:
                break
        assert grave == [], scheme
    assert page.get_by_test_id("stException").count() == 0
    assert page.faults == []


def test_nothing_is_fetched_from_elsewhere(tab: Any, url: str) -> None:
    page = opened(tab, f"{url}/trends", "Trends")
    page.locator(".js-plotly-plot").first.wait_for()
    strangers = [
        each for each in page.strangers if not each.startswith((url, "ws://127.", "data:", "blob:"))
    ]
    assert strangers == []


def test_a_copied_link_restores_page_and_filters(tab: Any, browser: Any, url: str) -> None:
    page = opened(tab, f"{url}/trends", "Trends")
    page.get_by_text("papers with a source", exact=True).click()
    playwright.expect(page).to_have_url(re.compile("among=papers"))
    playwright.expect(page.get_by_text("n = 70 papers with a source")).to_be_visible()
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.set_default_timeout(60_000)
    opened(other, page.url, "Trends")
    playwright.expect(other.get_by_text("n = 70 papers with a source")).to_be_visible()
    other.close()


def test_a_point_leads_to_the_papers_that_it_counts(tab: Any, url: str) -> None:
    page = opened(tab, f"{url}/sources", "Sources")
    page.locator(".js-plotly-plot .bars .point path").first.click(force=True)
    link = page.get_by_role("link", name=re.compile("ImageNet: the 60 papers behind it"))
    link.click()
    page.get_by_role("heading", name="Papers and evidence").wait_for()
    playwright.expect(page.get_by_text("60 papers")).to_be_visible()
    playwright.expect(page).to_have_url(re.compile("dataset=ImageNet"))


@pytest.mark.parametrize("kind", ["CSV", "SVG", "PNG"])
def test_a_chart_comes_as_a_file(tab: Any, url: str, kind: str, tmp_path: Path) -> None:
    page = opened(tab, f"{url}/trends", "Trends")
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.get_by_role("tab", name="Cite and download").first.click()
    with page.expect_download() as coming:
        page.get_by_role("button", name=kind, exact=True).first.click()
    assert re.fullmatch(rf"cats-share-of-papers.*\.{kind.lower()}", coming.value.suggested_filename)
    file = tmp_path / "file"
    coming.value.save_as(file)
    if kind == "CSV":
        assert file.read_text().startswith("dataset,year,n,n_papers,share,low,high\n")
    elif kind == "PNG":
        assert file.read_bytes().startswith(b"\x89PNG\r\n")
        assert file.stat().st_size > 10_000
    else:
        words = "".join(ElementTree.parse(file).getroot().itertext())
        assert "Share of papers that use each dataset as source, by year" in words
        assert "cats-" in words
        assert "year of publication" in words


def test_it_works_on_a_phone(browser: Any, url: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.set_default_timeout(60_000)
    opened(page, f"{url}/trends", "Trends")
    page.locator(".js-plotly-plot").first.wait_for()
    too_wide = page.evaluate("document.querySelector('.stMain').scrollWidth > 390")
    assert not too_wide
    page.close()


def test_showing_a_snapshot_has_not_changed_it(snapshot: Path, url: str) -> None:
    assert check(snapshot).startswith("cats-")
