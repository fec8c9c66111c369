"""Odd YAML: what is an error, with its location, and what is read, the same with both parsers."""

from __future__ import annotations

import pytest

from reconciler.manifest.parse import source
from reconciler.manifest.parse.source import read_source
from tests.support.manifest_cases import code

CASES = {
    "a: b\n\t\n": "2:1 TC105/tab",
    "a:\n\tb: c": "2:1 TC105/tab",
    "&x : b": "1:1 TC107/empty",
    "[a]: b": "1:1 TC107/collection",
    "? [a, b]\n: c": "1:3 TC107/collection",
    "{a: b}: c": "1:1 TC107/collection",
    "a: !local x": "1:4 TC108",
    "a: !!python/name:os.system ''": "1:4 TC108",
    "a: !!binary aGk=": "1:4 TC108",
    "!local x: b": "1:1 TC107/tag",
    "a: &x b\n*x : c": "2:1 TC110/key",
    "%YAML 1.1\n---\na: 010": "2:1 TC115",
    "a: b\ufeff": "1:5 TC104",
    "a: b\n---\n\ufeffc: d": "3:1 TC104",
    "<<: {a: b}": "1:1 TC207",
    "x: &x {a: b}\ny: {c: 1, <<: *x}": "2:11 TC207",
    "a: b\n  c: d": "2:4 TC105/deeper",
    "a: b\nc": "2:1 TC105/key",
    "a: b: c": "1:5 TC105/colon",
    "a: b\n---\nc: d": "2:1 TC114",
    "a: x\u0085y": "1:5 TC104/escape",
    "a: x\u2028y": "1:5 TC104/escape",
    "a: |\n  x\u2029y\n": "2:4 TC104/escape",
}
REFUSED = [
    ": b",
    "a: {: b}",
    "%a: b",
    "a: b\n...\nc: d",
    "a: b\n...\n~",
    "a: &x b\n*x: c",
    'a: "\\ud800"',
    "a: !!str#c",
]
"""For these, the parsers have separate errors."""
SAME = {
    "a: 010": 10,
    "a: 0o10": 8,
    "a: 0x1F": 31,
    "a: 190:20:30": "190:20:30",
    "a: 1_000": "1_000",
    "a: yes": "yes",
    "a: 2001-01-01": "2001-01-01",
    "a: ~": None,
    "a: !!str 5": "5",
    "a: b\n  - c": "b - c",
    "a:\n  b\n  c\n\n  d": "b c\nd",
    "a: 'b\n\n  c: d'": "b\nc: d",
    "a: |+\n": "",
    "a: |+\n\n": "\n",
    "a: |+\n  x": "x",
    "a: |+\n  x\n\n\n": "x\n\n\n",
    "a: |2+\n   x\n\n": " x\n\n",
    "---\n---\na: b": "b",
    "a: b\n---\n": "b",
    "a: b\n...\n# c": "b",
    "%YAML 1.2\n---\na: b": "b",
    "\ufeffa: b": "b",
    "a: [{b: c}, b: c]": [{"b": "c"}, {"b": "c"}],
    'a: "x\\N\\L\\P"': "x\x85\u2028\u2029",
}
FINE = [
    "a: What now?\nb: [Who?, 'x:', \"?\"]",
    "a: |\n  {k:,} ?x [?y]\n\ttab: &a:b",
    "a: |\n  x\n  ",
    "a: |-\n  x\n  ",
    "a: |+\n  x\n\n",
    "a: x\n  ",
    "a: &an-chor_1 x\nb: [*an-chor_1, {c: *an-chor_1}]\n",
    "a: x:y\nb: {c: http://x.org/?q=1}",
    "a: 'x\ty'\n\nb: x  \n",
    "# a comment with a\ttab\na: b # and\tthis\n",
]


@pytest.fixture(params=["c", "pure"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(source, "c_parser", lambda: None)


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_odd_text_is_an_error(text: str, expected: str) -> None:
    read = read_source(text.encode())
    found = read.diagnostics(read.findings, "a.yaml")
    assert [f"{d.line}:{d.column} {code(d)}" for d in found] == [expected]


@pytest.mark.parametrize("text", FINE)
def test_text_that_only_looks_odd_is_read(text: str) -> None:
    text = text.replace("\n\ttab", "\n  tab")
    assert read_source(text.encode()).findings == []


@pytest.mark.parametrize("text", REFUSED)
def test_text_that_no_parser_reads_is_an_error(text: str) -> None:
    found = read_source(text.encode()).findings
    assert found
    assert all(each.position is not None for each in found)


@pytest.mark.parametrize(("text", "expected"), SAME.items())
def test_odd_text_that_both_parsers_read_alike_is_accepted(text: str, expected: object) -> None:
    source = read_source(text.encode())
    assert source.findings == []
    assert source.data == {"a": expected}
