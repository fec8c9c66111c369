"""Writes external text as Markdown that no host interprets.

Text is placed in code spans and fences. In prose, risky words are in `<code>` within HTML blocks,
where renderers look for no markup, links, mentions or issue numbers. Entities would not suffice:
GitHub looks for `@name` and `#1` in the rendered page, where `&#64;` is an `@` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.render import safe

SPAN = 200  # maximum characters of a code span

_CODE = re.compile(r"`([^`]+)`")
_TICKS = re.compile(r"`+")
_SPACE = re.compile(r"(\s+)")
_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9/._~%-]*")
_PLAIN = re.compile(r"[\"'(\[]*[^\W_]+(?:['’-][^\W_]+)*[\"')\],.;:!?]*|[-–—=+/,.;:()\"']+")
_EDGES = re.compile(r"^([\"'(\[]*)(.+?)([\"')\],.;:!?]*)$")
_REFERENCE = re.compile(r"\W*(?:[0-9a-fA-F]{7,}|[A-Za-z]+-\d+)\W*")


def span(text: str, most: int = SPAN) -> str:
    """A code span on one line, also valid in a table cell; long text is cut in the middle."""
    short = cut(safe.line(text), most, " ... ").replace("|", "\\x7c")
    if not short.strip(" "):
        return "`(none)`" if not short else "`(blank)`"
    marks = _ticks(short, 1)
    pad = " " if short[0] in "` " or short[-1] in "` " else ""
    return f"{marks}{pad}{short}{pad}{marks}"


def fence(text: str, language: str = "text") -> str:
    """A code fence that is longer than any run of backticks in the text."""
    shown = safe.block(text)
    marks = _ticks(shown, 3)
    return f"{marks}{language}\n{shown}\n{marks}"


def _ticks(text: str, least: int) -> str:
    """At least `least` backticks, and more than any run of backticks in the text."""
    return "`" * max([least, *(len(run) + 1 for run in _TICKS.findall(text))])


def paragraph(text: str) -> str:
    """Prose as an HTML block. Words that could be a link, a mention, an issue, a commit or markup
    are in `<code>`."""
    lines = [line.strip() for line in safe.block(text).split("\n") if line.strip()]
    return f"<p>{'<br>'.join(''.join(_words(line)) for line in lines)}</p>"


def _words(line: str) -> Iterator[str]:
    """The words of a line and the space between them as HTML; texts in backticks become code."""
    for place, part in enumerate(_CODE.split(line)):
        if place % 2:
            yield f"<code>{safe.html(part)}</code>"
        else:
            yield from (_word(word) if word.strip() else word[:1] for word in _SPACE.split(part))


def prose(text: str) -> str:
    """The text of a message as HTML; texts in backticks become code."""
    return _CODE.sub(r"<code>\1</code>", safe.html(text))


def link(url: str, text: str) -> str:
    """A link, or only the text if the URL has special characters."""
    return f"[{span(text)}]({url})" if _LINK.fullmatch(url) and len(url) <= SPAN else span(text)


def row(*cells: str) -> str:
    """A row of a table; the cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and not _REFERENCE.fullmatch(word):
        return safe.html(word)
    before, inside, after = map(safe.html, _EDGES.findall(word)[0])
    return f"{before}<code>{inside}</code>{after}"


def code(text: str) -> str:
    """The content of a `<code>` element, on one line."""
    return safe.html(cut(safe.line(text), SPAN, " ... "))


def cut(text: str, most: int, mark: str = "\n... too long to show in full ...\n") -> str:
    """The beginning and end of a text that is longer than `most`."""
    if len(text) <= most:
        return text
    kept = (most - len(mark)) // 2
    return f"{text[:kept]}{mark}{text[-kept:]}"
