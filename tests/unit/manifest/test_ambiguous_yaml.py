"""Legal but odd YAML is an error with a location, and both parsers agree on it."""

from __future__ import annotations

import pytest

from reconciler.manifest.parse import source
from reconciler.manifest.parse.source import read_source
from tests.support.manifest_cases import code

CASES = {
    "message: &an:chor Delete nothing": "1:10 TC110/name",
    "a: &x.y foo": "1:4 TC110/name",
    "a: !!str &x& foo": "1:10 TC110/name",
    "a: &x&y z": "1:4 TC110/name",
    "a: &x\nb: *x:y": "2:4 TC110/name",
    "a: &x 1\nb: [*x:, 2]": "2:5 TC110/name",
    "a: &x.y {b: c}": "1:4 TC110/name",
    "{ ?foo: bar }": "1:3 TC118/question",
    "[?x]": "1:2 TC118/question",
    "[a, ?x]": "1:5 TC118/question",
    "? foo\n: bar": "1:1 TC118/question",
    "a:\n  ? foo\n  : bar": "2:3 TC118/question",
    "{k:,}": "1:2 TC118/colon",
    "{k:}": "1:2 TC118/colon",
    "[k:]": "1:2 TC118/colon",
    "a: |+\n   \n  ": "3:2 TC118/end",
    "a: |+\n  x\n  ": "3:2 TC118/end",
    "a: |\n  x\n   ": "3:3 TC118/end",
    "a: >\n  x\n   ": "3:3 TC118/end",
    "a:\tb": "1:3 TC105/tab",
    "a: b\t#c": "1:5 TC105/tab",
    "a: [\tb]": "1:5 TC105/tab",
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
def test_an_odd_text_is_an_error(text: str, expected: str) -> None:
    found = [f.diagnostic for f in read_source(text.encode()).findings]
    assert [f"{d.line}:{d.column} {code(d)}" for d in found] == [expected]


@pytest.mark.parametrize("text", FINE)
def test_what_only_looks_like_one_is_read(text: str) -> None:
    text = text.replace("\n\ttab", "\n  tab")
    assert read_source(text.encode()).findings == []
