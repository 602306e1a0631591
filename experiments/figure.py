"""Measured AUCs as an SVG that needs no library: a line a source, a point with its interval."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from html import escape

import pandas as pd

_ROW, _LEFT, _WIDTH, _RIGHT = 22, 330, 420, 90
_INK, _SOFT, _DOT = "#1a1a1a", "#8a8a8a", "#1f5fa8"


def forest(frame: pd.DataFrame) -> str:
    """The figure of a report: sources below their target, strategy and number of images.

    Args:
        frame: what `experiments.report.report` gives; at least one row.

    Returns: the SVG's text.
    """
    low = max(0.0, float(frame["low"].min()) - 0.02)
    high = min(1.0, float(frame["high"].max()) + 0.02)

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (value - low) / (high - low)

    parts: list[str] = []
    y = 30.0
    for setting, rows in frame.groupby(["target", "strategy", "n_train"], sort=False):
        target, strategy, n_train = setting
        n_test = int(rows["n_test"].max())
        title = f"{target}: {strategy}, {n_train} training images, {n_test} test images"
        parts.append(_text(10, y + 4, title, weight="bold"))
        y += _ROW
        for row in rows.to_dict(orient="records"):
            parts += _row(row, x, y)
            y += _ROW
        y += _ROW / 2
    parts += _axis(low, high, x, y)
    width, height = _LEFT + _WIDTH + _RIGHT, y + 50
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="AUC of each source with its 95% interval">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _row(row: Mapping[Hashable, object], x: Callable[[float], float], y: float) -> list[str]:
    auc, low, high = (float(str(row[name])) for name in ("auc", "low", "high"))
    label = f"{row['source']} ({row['model']}), seeds: {row['seeds']}"
    return [
        _text(24, y + 4, label),
        f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="{_DOT}" '
        'stroke-width="2"/>',
        f'<circle cx="{x(auc):.1f}" cy="{y}" r="4" fill="{_DOT}"/>',
        _text(_LEFT + _WIDTH + 12, y + 4, f"{auc:.3f}"),
    ]


def _axis(low: float, high: float, x: Callable[[float], float], y: float) -> list[str]:
    ticks = [tick / 20 for tick in range(21) if low <= tick / 20 <= high]
    return [
        f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}" stroke="{_SOFT}"/>',
        *(_text(x(tick) - 10, y + 18, f"{tick:.2f}") for tick in ticks),
        _text(_LEFT, y + 38, "AUC on the test images, mean over seeds; line: 95% bootstrap"),
    ]


def _text(x: float, y: float, text: str, *, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}" font-weight="{weight}">{escape(text)}</text>'
    )
