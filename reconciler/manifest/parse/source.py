"""Bytes of a manifest -> plain data with places, or the reasons why not.

ruamel.yaml parses: its C parser where it is installed, else its pure one, which yields the same
events. The data comes from `construct.py`; here are the checks before it and its errors after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from reconciler.manifest.parse import encoding
from reconciler.manifest.parse.construct import Constructed, Place, Refused, construct
from reconciler.manifest.parse.spans import PARSER_ERRORS, NextEvent, locate
from reconciler.manifest.parse.syntax import is_gap_of_c_parser, syntax_problem
from reconciler.manifest.problem import Problem

MAX_BYTES = 64 * 1024 * 1024

_ESCAPES = {"U+0085": "\\N", "U+2028": "\\L", "U+2029": "\\P"}


@dataclass(slots=True)
class Source:
    """A file that was read. `data` is the document, None where there is none or it cannot be used.

    `keys` are the places of the keys below a key of the root. `body` is its text without a byte
    order mark: UTF-8, unless a problem says otherwise. `pure`: the pure parser is to read it.
    """

    body: bytes
    data: Any = None
    pure: bool = False
    keys: dict[str, dict[str, Place]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def events(self) -> NextEvent:
        """The parser's events from the start; only for a file whose form has no error."""
        return pure_events(self.body) if self.pure else open_events(self.body)


def read_source(content: bytes) -> Source:
    """Reads a manifest's YAML; never raises: what is wrong is in `problems`."""
    source = Source(content.removeprefix(encoding.BOM))
    problem = _unreadable(source.body)
    if problem is not None:
        source.problems.append(problem)
        return source
    failure = _construct(source)
    if failure is not None and is_gap_of_c_parser(failure):
        source = Source(source.body, pure=True)
        failure = _construct(source)
    if failure is not None:
        source.problems.append(syntax_problem(failure, source.body))
    return source


def _construct(source: Source) -> Exception | None:
    """Fills `source`; the parser's exception where the form of the text is at fault."""
    made = Constructed()
    source.problems, source.keys = made.problems, made.keys
    failure: Exception | None = None
    try:
        construct(source.events(), len(source.body), made)
        source.data = _only_document(made)
    except Refused:
        pass
    except PARSER_ERRORS as error:
        failure = error
    made.problems.extend(_repeated(made, source))
    return failure


def open_events(body: bytes) -> NextEvent:
    """The parser's events for a text, of the C parser if there is one."""
    parser = _c_parser()
    if parser is None:
        return pure_events(body)
    next_event: NextEvent = parser(body).get_event
    return next_event


def open_tokens(body: bytes, *, pure: bool) -> NextEvent:
    """The scanner's tokens for a text, which the events are made of: each with its place."""
    parser = None if pure else _c_parser()
    if parser is not None:
        next_token: NextEvent = parser(body).get_token
        return next_token
    from ruamel.yaml import YAML

    scanned = YAML(typ="safe", pure=True).scan(body)
    return lambda: next(scanned, None)


def _c_parser() -> Any:
    """ruamel.yaml's C parser by its name in any of its homes; None where none is installed."""
    for home in ("_ruamel_yaml", "_ruamel_yaml_clibz"):
        try:
            return import_module(home).CParser
        except ImportError:
            continue
    return None


def pure_events(body: bytes) -> NextEvent:
    """The same events, more slowly, from Python alone."""
    from ruamel.yaml import YAML

    events = YAML(typ="safe", pure=True).parse(body)
    return lambda: next(events, None)


def _unreadable(body: bytes) -> Problem | None:
    """What keeps a text from being parsed at all: size, encoding, control characters."""
    if len(body) > MAX_BYTES:
        limit = MAX_BYTES // 1024 // 1024
        return encoding.at_byte(body, 0, f"the file is larger than {limit} MiB; split it")
    problem = encoding.unreadable(body, "a manifest")
    if problem is None:
        return None
    escape = next((text for code, text in _ESCAPES.items() if code in problem.what), None)
    hint = f'; within "..." it is written {escape}' if escape else ""
    return problem._replace(what=problem.what + hint)


def _only_document(made: Constructed) -> Any:
    if not made.documents:
        what = "the file holds no manifest; begin it with `version: 1`"
        made.problems.append(Problem((), what, line=1, column=1))
        return None
    for line, column in made.starts[1:]:
        what = "a second document; a manifest is one: give this one a file of its own"
        made.problems.append(Problem((), what, line=line, column=column))
    return made.documents[0]


def _repeated(made: Constructed, source: Source) -> list[Problem]:
    """Keys that are there twice; both lines are named."""
    if not made.repeats:
        return []
    firsts = locate(source.events(), [path for path, _ in made.repeats])
    problems = []
    for path, (line, column) in made.repeats:
        first = firsts[path].key_line
        what = f"the key is here twice; the first is in line {first}: rename one or take it out"
        problems.append(Problem(path, what, line=line, column=column))
    return problems
