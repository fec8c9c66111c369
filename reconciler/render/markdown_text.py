"""Text from outside as Markdown that no host turns into anything else.

It stands in code spans, in fences and, its risky words in `<code>`, in blocks of HTML: there no
renderer looks for markup, links, mentions or issue numbers. An entity would not do, since GitHub
looks for `@name` and `#1` in the finished page, where `&#64;` is an `@` again.
"""

from __future__ import annotations

import re

from reconciler.render import safe

SPAN = 200  # characters of a code span

_TICKS = re.compile(r"`+")
_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9/._~%-]*")
_PLAIN = re.compile(r"[\"'(\[]*[^\W_]+(?:['’-][^\W_]+)*[\"')\],.;:!?]*|[-–—=+/,.;:()\"']+")
_REFERENCE = re.compile(r"\W*(?:[0-9a-fA-F]{7,}|[A-Za-z]+-\d+)\W*")


def span(text: str) -> str:
    """A code span of one line, for a table's cell too; long text is cut in its middle."""
    shown = cut(safe.line(text), SPAN, " ... ").replace("|", "\\x7c")
    if not shown.strip(" "):
        return "`(none)`" if not shown else "`(blank)`"
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{'`' * (longest + 1)}{pad}{shown}{pad}{'`' * (longest + 1)}"


def fence(text: str, language: str = "text") -> str:
    """A fence longer than any run of backticks in it."""
    shown = safe.block(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{shown}\n{marks}"


def paragraph(text: str) -> str:
    """Prose as a block of HTML; every word that could be a link, a mention, a reference to an
    issue or a commit, or markup of some host, is in `<code>`."""
    lines = [line for line in safe.block(text).split("\n") if line.strip()]
    return f"<p>{'<br>'.join(' '.join(map(_word, line.split())) for line in lines)}</p>"


def link(url: str, text: str) -> str:
    """A link, of an address that is just that; else its text alone."""
    return f"[{span(text)}]({url})" if _LINK.fullmatch(url) and len(url) <= SPAN else span(text)


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and not _REFERENCE.fullmatch(word):
        return safe.html(word)
    return f"<code>{safe.html(word)}</code>"


def code(text: str) -> str:
    """As the inside of a `<code>` element, on one line."""
    return safe.html(cut(safe.line(text), SPAN, " ... "))


def cut(text: str, most: int, mark: str = "\n... too long to show whole ...\n") -> str:
    """Its beginning and its end, where it is longer than `most`."""
    if len(text) <= most:
        return text
    kept = (most - len(mark)) // 2
    return f"{text[:kept]}{mark}{text[-kept:]}"
