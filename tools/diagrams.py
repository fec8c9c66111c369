"""The diagrams of the documentation: the life of a key, and a rollout.

`python -m tools.reference` writes them. They follow the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }
.title { font-weight: 600; }
.label, .row { fill: #59636e; }
.row { text-anchor: end; }
.ground { fill: #ffffff; }
.box { fill: #f6f8fa; stroke: #818b98; }
.done { fill: #aceebb; stroke: #1a7f37; }
.running { fill: #b6e3ff; stroke: #0969da; }
.failed { fill: #ffcecb; stroke: #d1242f; }
.held { fill: none; stroke: #818b98; stroke-dasharray: 3; }
.arrow { fill: none; stroke: #59636e; marker-end: url(#head); }
.head { fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; }
.label, .row { fill: #9198a1; }
.ground { fill: #0d1117; }
.box { fill: #151b23; stroke: #656c76; }
.done { fill: #0f5323; stroke: #3fb950; }
.running { fill: #0c2d6b; stroke: #4493f8; }
.failed { fill: #67060c; stroke: #f85149; }
.held { stroke: #656c76; }
.arrow { stroke: #9198a1; }
.head { fill: #9198a1; }
}"""


class Box(NamedTuple):
    """A box around a title and lines of text; (x, y) is its upper left corner, in pixels."""

    x: int
    y: int
    title: str
    lines: Sequence[str]
    width: int = 150

    def drawn(self) -> str:
        height = 34 + 18 * len(self.lines)
        middle = self.x + self.width // 2
        return "\n".join(
            [
                _rect("box", self.x, self.y, self.width, height),
                _text(middle, self.y + 22, self.title, "title"),
                *(_text(middle, self.y + 42 + 18 * n, line) for n, line in enumerate(self.lines)),
            ]
        )


class Arrow(NamedTuple):
    """A line with a head through these points, and its label in lines around (x, y)."""

    path: str
    x: int
    y: int
    label: Sequence[str]

    def drawn(self) -> str:
        texts = (_text(self.x, self.y + 16 * n, line, "label") for n, line in enumerate(self.label))
        return "\n".join([f'<path class="arrow" d="{self.path}"/>', *texts])


KEY: Sequence[Box | Arrow] = [
    Box(20, 30, "Manifest", ["the key", "tag-buckets"]),
    Box(230, 30, "Journal", ["an attempt, durable", "before it is sent"]),
    Box(440, 30, "Service", ["the task, and an", "agent that works"]),
    Box(650, 30, "State", ["the key and the ID", "of its one task"]),
    Arrow("M170 65 H228", 200, 55, ["apply"]),
    Arrow("M380 65 H438", 410, 39, ["create", "request"]),
    Arrow("M590 65 H648", 620, 55, ["task ID"]),
    Box(440, 180, "Lookup", ["is there a task with", "the reference?"]),
    Arrow("M515 102 V178", 570, 138, ["response lost", "or unusable"]),
    Arrow("M590 215 H725 V102", 668, 235, ["yes: it is recorded"]),
    Arrow(
        "M440 215 H305 V102", 240, 200, ["no, and the settle", "time has passed:", "planned again"]
    ),
    Box(375, 310, "Unresolved", ["nothing is created until a person answers"], 280),
    Arrow("M515 252 V308", 572, 284, ["cannot tell"]),
]
ROLLOUT = [
    ("1st apply", "running held held held held held"),
    ("once it is done", "done running running held held held"),
    ("as slots are free", "done done running running held held"),
    ("if a task fails", "done done failed running held held"),
    ("once corrected", "done done done running running held"),
]
ROWS = ["network (pilot)", "cluster", "billing", "search", "mobile", "docs-site"]


def key() -> str:
    """The SVG of a key's life, from manifest to record."""
    about = "A key from its manifest over the journal and the service to the state"
    return _svg(820, 390, about, [part.drawn() for part in KEY])


def rollout() -> str:
    """The SVG of a rollout of six tasks with a pilot of one and two at once."""
    parts = [_text(120, 75 + 36 * n, name, "row") for n, name in enumerate(ROWS)]
    for column, (when, statuses) in enumerate(ROLLOUT):
        left = 140 + 132 * column
        parts.append(_text(left + 55, 36, when, "label"))
        for row, status in enumerate(statuses.split()):
            top = 56 + 36 * row
            parts.append(_rect(status, left, top, 110, 28))
            parts.append(_text(left + 55, top + 19, status))
    about = "A rollout with a pilot of one task, and two at once, over five applies"
    return _svg(820, 290, about, parts)


def _text(x: int, y: int, text: str, kind: str = "text") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def _rect(kind: str, x: int, y: int, width: int, height: int) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def _svg(width: int, height: int, about: str, parts: Sequence[str]) -> str:
    head = '<path class="head" d="M0 0 L8 4 L0 8 z"/>'
    size = 'markerWidth="8" markerHeight="8" refX="7" refY="4"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(about)}</title>",
            f"<style>\n{STYLE}\n</style>",
            f'<defs><marker id="head" {size} orient="auto">{head}</marker></defs>',
            f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )
