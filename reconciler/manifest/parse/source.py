"""Bytes of a YAML or JSON file -> plain data with positions, or findings.

ruamel.yaml parses: with its C parser if it is installed, else with its Python parser, which yields
the same events. `construct.py` makes the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML

from reconciler.manifest.finding import Finding, located
from reconciler.manifest.parse.construct import Construction, UnreadableDocumentError
from reconciler.manifest.parse.errors import BOM, check_encoding, may_be_valid, syntax_error
from reconciler.manifest.parse.spans import (
    PARSER_ERRORS,
    LineIndex,
    NextEvent,
    Position,
    locate,
)
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic


class Source:
    """A file that was read. `data` is the document, None if there is none or it cannot be used.

    `keys` has the positions of the keys below each key of the root. `body` is its text without a
    byte order mark: UTF-8, unless a finding reports otherwise. `pure`: only the pure parser can
    read it.
    """

    def __init__(self, body: bytes, *, pure: bool = False) -> None:
        self.body = body
        self.pure = pure
        self.data: Any = None
        self.keys: dict[str, dict[str, Position]] = {}
        self.findings: list[Finding] = []

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def events(self) -> NextEvent:
        """The parser's events from the start."""
        return self._reader("event")

    def diagnostics(
        self, findings: Iterable[Finding], file: str, *, excerpts: bool = False
    ) -> list[Diagnostic]:
        """The diagnostics of findings in this file, each with its line and column and, for a
        manifest, with `excerpts` of the text."""
        return located(findings, file=file, text=self.text, events=self.events, excerpts=excerpts)

    def tokens(self) -> NextEvent:
        """The scanner's tokens from the start."""
        return self._reader("token")

    def _reader(self, kind: str) -> NextEvent:
        parser = None if self.pure else c_parser()
        if parser is not None:
            next_item: NextEvent = getattr(parser(self.body), f"get_{kind}")
            return next_item
        yaml = YAML(typ="safe", pure=True)
        items = yaml.parse(self.body) if kind == "event" else yaml.scan(self.body)
        return lambda: next(items, None)


def read_source(content: bytes) -> Source:
    """Reads a YAML file; never raises: every problem is in `findings`."""
    source = _decoded(content, yaml=True)
    if source.findings:
        return source
    source.body = _with_joined_surrogates(source)
    failure = _construct(source)
    if failure is not None and may_be_valid(failure):
        source = Source(source.body, pure=True)
        failure = _construct(source)
    if failure is not None:
        source.findings.append(syntax_error(failure, source.body))
    return source


def _with_joined_surrogates(source: Source) -> bytes:
    """The text; if it is JSON, with the character for each escaped surrogate pair, such as
    `\\ud83d\\ude00`, which Python's `json` writes. YAML has no surrogate pairs: if the text is not
    JSON, they may be literal text."""
    if not source.body.lstrip().startswith((b"{", b"[")) or _SURROGATES.search(source.body) is None:
        return source.body
    from reconciler.model.strict_json import JsonError, read_strict_json

    try:
        read_strict_json(source.text)
    except JsonError:
        return source.body
    return _SURROGATES.sub(_joined, source.body)


def _joined(pair: re.Match[bytes]) -> bytes:
    high, low = (int(digits, 16) for digits in pair.group("high", "low"))
    character = chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return pair["before"] + character.encode()


_SURROGATES = re.compile(
    rb"(?P<before>(?<!\\)(?:\\\\)*+)"
    rb"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)


def read_json_source(content: bytes) -> Source:
    """Reads a JSON file, as strictly as YAML; never raises: a problem is in `findings`. Paths are
    located by the YAML parser, since JSON is YAML."""
    from reconciler.model.strict_json import JsonError, read_strict_json

    source = _decoded(content, yaml=False)
    if not source.findings:
        try:
            source.data = read_strict_json(source.text)
        except JsonError as problem:
            position = LineIndex(source.text).position(problem.offset)
            found = Finding.of(problem, (), position)
            if problem.code is not Code.INVALID_YAML:  # YAML's reader knows the position
                alike = (f for f in read_source(content).findings if f.code is problem.code)
                found = next(alike, found).at_path(())
            source.findings.append(found)
    return source


def _decoded(content: bytes, *, yaml: bool) -> Source:
    """The source without data; with a finding if it is too large, or not text."""
    source = Source(content.removeprefix(BOM))
    if len(source.body) > limits.MANIFEST_BYTES:
        facts = {"limit": limits.MANIFEST_BYTES // 1024 // 1024}
        unreadable: Finding | None = Finding(Code.FILE_TOO_LARGE, (), "", facts, position=(1, 1))
    else:
        unreadable = check_encoding(source.body, yaml=yaml)
    if unreadable is not None:
        source.findings.append(unreadable)
    return source


def _construct(source: Source) -> Exception | None:
    """Fills `source`; returns the parser's exception if the text is not valid YAML."""
    made = Construction(source.events(), source.body)
    source.findings, source.keys = made.findings, made.keys
    failure: Exception | None = None
    try:
        made.run()
        if not made.documents:
            made.findings.append(Finding(Code.EMPTY_DOCUMENT, (), position=(1, 1)))
        else:
            source.data = made.documents[0]
        for position in made.starts[1:]:
            made.findings.append(Finding(Code.MULTIPLE_DOCUMENTS, (), position=position))
    except UnreadableDocumentError:
        pass
    except PARSER_ERRORS as error:
        failure = error
    firsts = locate(source.events(), [path for path, _ in made.repeats]) if made.repeats else {}
    for path, at in made.repeats:
        facts = {"first_line": firsts[path].key_line}
        made.findings.append(Finding(Code.DUPLICATE_KEY, path, "", facts, position=at))
    return failure


def c_parser() -> Any:
    """ruamel.yaml's C parser; None if it is not installed."""
    try:
        from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # it has no stubs
    except ImportError:
        return None
    return CParser
