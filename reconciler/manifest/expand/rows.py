"""Data files and lists as rows: every value is its text as written, with its line. Pure.

A row is one text, or a flat mapping of names to texts. Files are csv (RFC 4180), txt, yaml, json.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from io import StringIO

from reconciler.manifest.parse.nodes import Mapping, Node, Scalar, Sequence
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.remarks import RemarkError
from reconciler.model.value import Value

Fields = dict[str, str]
YAML_AND_JSON = ("yaml", "yml", "json")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Row(Value, frozen=True):
    """One value of an axis. `file` is None for a row in the manifest itself."""

    value: str | Fields
    line: int
    file: str | None = None

    def field(self, name: str) -> str | None:
        return self.value.get(name) if isinstance(self.value, dict) else None


class RowError(RemarkError):
    """Invalid data, and its line (from 1)."""

    def __init__(self, case: str, line: int, **facts: str | int) -> None:
        super().__init__(Code.INVALID_DATA, case, **facts)
        self.line = line


def rows_of_file(name: str, text: str, nodes: Callable[[], Node | None]) -> list[Row]:
    """The rows of a data file; its suffix selects the format. Raises RowError if it is invalid.
    `nodes` parses YAML and JSON."""
    ending = name.rpartition(".")[2].lower()
    if ending == "csv":
        return list(_csv(name, text))
    if ending == "txt":
        return list(_lines(name, text))
    if ending in YAML_AND_JSON:
        return rows_of_node(nodes(), file=name)
    raise RowError("ending", 1, ending=ending)


def rows_of_node(node: Node | None, *, file: str | None = None) -> list[Row]:
    """The rows of a YAML list."""
    if not isinstance(node, Sequence):
        raise RowError("notAList", node.line if node is not None else 1)
    return [Row(_value(item), item.line, file) for item in node.items]


def _value(node: Node) -> str | Fields:
    if isinstance(node, Mapping):
        return {
            _name(str(key.text), key.line): _text(value, str(key.text)) for key, value in node.items
        }
    return _text(node, "")


def _name(text: str, line: int) -> str:
    if len(text) > limits.NAME_CHARACTERS:
        raise RowError("longName", line, limit=limits.NAME_CHARACTERS)
    return text


def _text(node: Node, name: str) -> str:
    if not isinstance(node, Scalar):
        raise RowError("nested", node.line, name=name)
    if node.text is None:
        raise RowError("null", node.line)
    return node.text


def _csv(name: str, text: str) -> Iterator[Row]:
    """Ignores blank lines and trims values; each row must have the fields of the header."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for record in reader:
            begin, line = line, reader.line_num + 1
            cells = [cell.strip() for cell in record]
            if not any(cells) and len(cells) <= 1:
                continue
            _refuse_controls(cells, begin)
            if header is None:
                header = _header(cells, begin)
            elif len(cells) != len(header):
                raise RowError("ragged", begin, found=len(cells), expected=len(header))
            else:
                yield Row(dict(zip(header, cells, strict=True)), begin, name)
    except csv.Error as problem:
        raise RowError("csv", reader.line_num, problem=str(problem)) from problem
    if header is None:
        raise RowError("noHeader", 1)


def _header(cells: list[str], line: int) -> list[str]:
    seen = set()
    if len(cells) == 1 and (found := next((s for s in ";\t|" if s in cells[0]), None)):
        raise RowError("separator", line, found="tabs" if found == "\t" else f"`{found}`")
    for column, cell in enumerate(cells, 1):
        if not cell:
            raise RowError("noName", line, column=column)
        if cell in seen:
            raise RowError("sameName", line, name=cell)
        seen.add(_name(cell, line))
    return cells


def _lines(name: str, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        value = line.strip()
        if value and not value.startswith("#"):
            _refuse_controls([value], number)
            yield Row(value, number, name)


def _refuse_controls(cells: Iterable[str], line: int) -> None:
    for cell in cells:
        if (found := _CONTROL.search(cell)) is not None:
            raise RowError("control", line, code=f"U+{ord(found[0]):04X}")
