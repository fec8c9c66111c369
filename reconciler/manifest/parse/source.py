"""Bytes of a manifest -> plain data with positions, or findings.

ruamel.yaml parses: its C parser if it is installed, else its pure one, which yields the same
events. `construct.py` makes the data; here are the checks before it and its errors after.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from reconciler.manifest.finding import Finding, finding
from reconciler.manifest.parse import encoding
from reconciler.manifest.parse.ambiguity import ambiguities, may_be_ambiguous
from reconciler.manifest.parse.construct import (
    Constructed,
    Position,
    UnreadableDocumentError,
    construct,
)
from reconciler.manifest.parse.spans import PARSER_ERRORS, NextEvent, locate
from reconciler.manifest.parse.syntax import is_gap_of_c_parser, syntax_error
from reconciler.model.codes import Code

MAX_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Source:
    """A file that was read. `data` is the document, None if there is none or it cannot be used.

    `keys` has the positions of the keys below each key of the root. `body` is its text without a
    byte order mark: UTF-8, unless a finding says otherwise. `pure`: only the pure parser reads it.
    """

    body: bytes
    data: Any = None
    pure: bool = False
    keys: dict[str, dict[str, Position]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def events(self) -> NextEvent:
        """The parser's events from the start."""
        return pure_events(self.body) if self.pure else open_events(self.body)


def read_source(content: bytes) -> Source:
    """Reads a manifest's YAML; never raises: what is wrong is in `findings`."""
    source = Source(content.removeprefix(encoding.BOM))
    unreadable = _unreadable(source.body)
    if unreadable is not None:
        source.findings.append(unreadable)
        return source
    failure = _construct(source)
    if failure is not None and is_gap_of_c_parser(failure):
        source = Source(source.body, pure=True)
        failure = _construct(source)
    if failure is None and not source.findings and may_be_ambiguous(source.body):
        text = source.text
        tokens = iter(open_tokens(source.body, pure=source.pure), None)
        with suppress(*PARSER_ERRORS):  # as the events were read, only a gap of the C scanner
            source.findings.extend(ambiguities(text, tokens))
    if failure is not None:
        source.findings.append(syntax_error(failure, source.body))
    return source


def _construct(source: Source) -> Exception | None:
    """Fills `source`; returns the parser's exception if the text is not valid YAML."""
    made = Constructed()
    source.findings, source.keys = made.findings, made.keys
    failure: Exception | None = None
    try:
        construct(source.events(), source.body, made)
        source.data = _only_document(made)
    except UnreadableDocumentError:
        pass
    except PARSER_ERRORS as error:
        failure = error
    made.findings.extend(_duplicate_keys(made, source))
    return failure


def open_events(body: bytes) -> NextEvent:
    """The parser's events for a text, from the C parser if there is one."""
    parser = c_parser()
    if parser is None:
        return pure_events(body)
    next_event: NextEvent = parser(body).get_event
    return next_event


def open_tokens(body: bytes, *, pure: bool) -> NextEvent:
    """The scanner's tokens for a text, each with its position."""
    parser = None if pure else c_parser()
    if parser is not None:
        next_token: NextEvent = parser(body).get_token
        return next_token
    from ruamel.yaml import YAML

    scanned = YAML(typ="safe", pure=True).scan(body)
    return lambda: next(scanned, None)


def c_parser() -> Any:
    """ruamel.yaml's C parser, under any of its module names; None if none is installed."""
    for module in ("_ruamel_yaml", "_ruamel_yaml_clibz"):
        try:
            return import_module(module).CParser
        except ImportError:
            continue
    return None


def pure_events(body: bytes) -> NextEvent:
    """The same events, more slowly, from Python alone."""
    from ruamel.yaml import YAML

    events = YAML(typ="safe", pure=True).parse(body)
    return lambda: next(events, None)


def _unreadable(body: bytes) -> Finding | None:
    """What keeps a text from being parsed at all: size, encoding, control characters."""
    if len(body) > MAX_BYTES:
        limit = MAX_BYTES // 1024 // 1024
        return encoding.at_byte(body, 0, Code.FILE_TOO_LARGE, "", {"limit": limit})
    return encoding.check_encoding(body, yaml=True)


def _only_document(made: Constructed) -> Any:
    if not made.documents:
        made.findings.append(finding(Code.EMPTY_DOCUMENT, (), position=(1, 1)))
        return None
    for position in made.starts[1:]:
        made.findings.append(finding(Code.MULTIPLE_DOCUMENTS, (), position=position))
    return made.documents[0]


def _duplicate_keys(made: Constructed, source: Source) -> list[Finding]:
    if not made.repeats:
        return []
    firsts = locate(source.events(), [path for path, _ in made.repeats])
    return [
        finding(Code.DUPLICATE_KEY, path, "", {"first_line": firsts[path].key_line}, position=at)
        for path, at in made.repeats
    ]
