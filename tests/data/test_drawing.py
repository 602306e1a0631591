"""Figures of a release and of a report: what is drawn for a frame, read back from the SVG."""

import xml.etree.ElementTree as ET
from typing import Any

import pandas as pd

from data.drawing import bars_svg, lines_svg

_NAME = "{http://www.w3.org/2000/svg}"


def shares(*names: str, **columns: Any) -> pd.DataFrame:
    plain = {"share": 0.1, "low": 0.05, "high": 0.2, "n": 10, "n_papers": 100}
    return pd.DataFrame([{"dataset": name, **plain, **columns} for name in names])


def drawn(frame: pd.DataFrame) -> ET.Element:
    return ET.fromstring(bars_svg(frame, title="T", note="n = 100 papers"))


def words(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{_NAME}text")]


def test_a_corrected_share_stands_below_the_bar_it_corrects() -> None:
    corrected = {"corrected": 0.3, "corrected_low": 0.2, "corrected_high": 0.5}
    svg = drawn(pd.concat([shares("A", **corrected), shares("B", corrected=float("nan"))]))
    assert "30.0% corrected" in words(svg)
    assert sum("corrected" in said for said in words(svg)) == 1
    (bar, _) = [rect for rect in svg.iter(f"{_NAME}rect") if rect.get("fill-opacity")]
    whiskers = [path.get("d", "") for path in svg.iter(f"{_NAME}path")]
    ends = [float(path.split("H")[1].split("M")[0]) for path in whiskers if "H" in path]
    left, width = float(bar.get("x", 0)), float(bar.get("width", 0))
    assert ends[1] - left > 4.9 * width  # 50% beside a bar of 10%
    assert ends[1] < float(svg.get("viewBox", "").split()[2])


def test_without_corrected_columns_nothing_is_corrected() -> None:
    svg = drawn(shares("A", "B"))
    assert words(svg)[1:] == ["A", "10.0% (10 of 100)", "B", "10.0% (10 of 100)", "n = 100 papers"]


def test_a_long_name_is_cut_and_a_short_one_is_not() -> None:
    long = "a dataset of a very long name " * 3
    shown = words(drawn(shares("A", long)))
    assert "A" in shown
    assert any(said.endswith("…") and long.startswith(said[:-1]) for said in shown)


def test_styles_hold_for_the_figure_alone() -> None:
    frame = shares("A", group="2020")
    for svg in (drawn(frame), ET.fromstring(lines_svg(frame, title="T", note="", this_year=2026))):
        style = svg.find(f"{_NAME}style")
        assert style is not None
        rules = [rule for rule in (style.text or "").split("}") if rule]
        assert all(rule.startswith(f".{svg.get('class')} ") for rule in rules)
