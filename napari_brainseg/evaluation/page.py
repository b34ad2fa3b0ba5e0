"""One self-contained HTML page: words, tables and pictures in a single file that can be mailed."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from napari_brainseg.base.paths import write_text

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { border: 1px solid #ccc; padding: .2rem .6rem; }
td { text-align: right; } th, td:first-child { text-align: left; } th { background: #f3f3f3; }
figure { display: inline-block; margin: .5rem; vertical-align: top; } figcaption { font-size: 90%; color: #555; }
img { max-width: 100%; image-rendering: pixelated; } .notice { color: #a00; }
.chart img { image-rendering: auto; }
.numbers { display: flex; flex-wrap: wrap; gap: .8rem; } .numbers div { background: #f3f5f7; border-radius: .5rem;
padding: .5rem 1rem; color: #555; } .numbers b { display: block; font-size: 1.5rem; color: #222; }
.checks { list-style: none; padding: 0; } .checks li { border-left: .35rem solid; margin: .35rem 0;
padding: .2rem .8rem; background: #fafafa; } .checks b { margin-right: .6rem; }
.checks small { display: block; color: #666; }
.checks .good { border-color: #2a9d55; } .checks .look { border-color: #e0a010; }
.checks .bad { border-color: #c8281e; }
details { margin: .6rem 0; } summary { cursor: pointer; color: #0b57a4; }
"""
NOTICE = "For research use, not for diagnosis."


class Page:
    """A page that is written from top to bottom. All text is escaped; every page carries the notice."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []

    def heading(self, text: str) -> None:
        """Start a section."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def numbers(self, numbers: Sequence[tuple[str, str]]) -> None:
        """Add figures in large print, each with what it counts."""
        boxes = "".join(f"<div><b>{html.escape(n)}</b>{html.escape(what)}</div>" for n, what in numbers)
        self._parts.append(f'<div class="numbers">{boxes}</div>')

    def checks(self, checks: Sequence[tuple[str, str, str, str]]) -> None:
        """Add a list of what was checked: level (`good`, `look` or `bad`), title, result, and what it means."""
        lines = (
            f'<li class="{level}"><b>{html.escape(t)}</b>{html.escape(result)}<small>{html.escape(why)}</small></li>'
            for level, t, result, why in checks
        )
        self._parts.append(f'<ul class="checks">{"".join(lines)}</ul>')

    def folded_table(self, summary: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table that is shown when its summary is clicked."""
        self._parts.append(f"<details><summary>{html.escape(summary)}</summary>{_table(headers, rows)}</details>")

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; floats are shown with three decimals, NaN and None as a dash."""
        self._parts.append(_table(headers, rows))

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a matplotlib figure (made with `Figure()`, not pyplot, so that it is freed and needs no screen)."""
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=90, bbox_inches="tight")
        self._picture(stream.getvalue(), caption, "chart")

    def picture(self, pixels: NDArray[np.uint8], caption: str) -> None:
        """Add a picture (H, W, 3), uint8."""
        stream = io.BytesIO()
        imsave(stream, pixels, format="png")
        self._picture(stream.getvalue(), caption)

    def html(self) -> str:
        """Return the whole page."""
        title = html.escape(self._title)
        return (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<style>{_STYLE}</style></head><body><h1>{title}</h1><p class="notice">{NOTICE}</p>'
            + "\n".join(self._parts)
            + "</body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page aside and rename it; raise `OutputError` when the folder cannot be written."""
        write_text(path, self.html())

    def _picture(self, png: bytes, caption: str, kind: str = "") -> None:
        data, text = base64.b64encode(png).decode(), html.escape(caption)
        image = f'<img src="data:image/png;base64,{data}" alt="{text}">'
        self._parts.append(f'<figure class="{kind}">{image}<figcaption>{text}</figcaption></figure>')


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in headers)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(_shown(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
