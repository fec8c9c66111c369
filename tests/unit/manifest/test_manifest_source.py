"""Text to data: keys, scalars, anchors, limits; by the C parser and by the pure one."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings

from reconciler.manifest.parse import source
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.parse.spans import SourceSpan, locate
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.paths import shown
from tests.support.manifest_cases import code
from tests.support.manifest_yaml import SOUP, documents


@pytest.fixture(params=["c", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure":
        monkeypatch.setattr(source, "c_parser", lambda: None)
    return str(request.param)


def read(text: str) -> Source:
    return read_source(text.encode("utf-8", "surrogatepass"))


def data(text: str) -> Any:
    found = read(text)
    assert found.findings == []
    return found.data


def whats(text: str) -> list[str]:
    found = read(text)
    located = found.diagnostics(found.findings, "a.yaml")
    return [f"{d.line}:{d.column} {shown(d.at.path)} {code(d)}" for d in located]


def test_every_yaml_style_is_read(parser: str) -> None:
    text = """\
plain: a b
single: 'it''s'
double: "a\\tb\\u00e9"
literal: |
  one
   two

folded: >-
  one
  two
nothing:
flow: {a: [1, two, {b: null}], 'c': ""}
"""
    assert data(text) == {
        "plain": "a b",
        "single": "it's",
        "double": "a\tbé",
        "literal": "one\n two\n",
        "folded": "one two",
        "nothing": None,
        "flow": {"a": [1, "two", {"b": None}], "c": ""},
    }


def test_keys_are_always_text(parser: str) -> None:
    assert data("1: a\non: b\nnull: c\ntrue: d\n2026-11-24: e\n'': f\n! x: g\n!!str 7: h\n") == {
        "1": "a",
        "on": "b",
        "null": "c",
        "true": "d",
        "2026-11-24": "e",
        "": "f",
        "x": "g",
        "7": "h",
    }


def test_quoted_scalars_are_text(parser: str) -> None:
    assert data("[\"1\", 'true', \"null\", '']") == ["1", "true", "null", ""]


def test_core_tags_are_applied(parser: str) -> None:
    text = "a: !!str 5\nc: !!map {d: !!seq [! 7]}\nf: ! {g: ! []}\n"
    assert data(text) == {"a": "5", "c": {"d": ["7"]}, "f": {"g": []}}


@pytest.mark.parametrize(
    "value", ["!!int 5", "!!float 1", "!!bool true", "!!null ''", "!!binary x"]
)
def test_tags_of_other_types_are_rejected(parser: str, value: str) -> None:
    (problem,) = read_source(f"a: {value}\n".encode()).findings
    assert problem.code is Code.INVALID_TAG


def test_aliases_are_resolved(parser: str) -> None:
    text = "a: &a {x: 1}\nb: *a\nc: &a two\nd: *a\n&k e: 5\nf: *k\ng: [&n 1, *n]\n"
    made = data(text)
    assert made["b"] == {"x": 1}
    assert made["b"] is made["a"]
    assert (made["d"], made["f"], made["g"]) == ("two", "e", [1, 1])


def test_flow_collections_may_hold_times_and_urls(parser: str) -> None:
    # libyaml follows YAML 1.1 here; the pure parser reads what it rejects
    text = "{at: 12:30:45, to: [http://x.org/?q=1, 2026-11-24T09:00:00Z]}"
    assert data(text) == {"at": "12:30:45", "to": ["http://x.org/?q=1", "2026-11-24T09:00:00Z"]}
    assert data("{message: Why?, ask: [Who?, What now?]}") == {
        "message": "Why?",
        "ask": ["Who?", "What now?"],
    }


@pytest.mark.parametrize(
    "text", ["a: 1\n---\n", "a: 1\n...\n", "a: 1\n---\n# x\n...\n---\n", "---\n---\na: 1\n"]
)
def test_empty_documents_are_skipped(parser: str, text: str) -> None:
    assert data(text) == {"a": 1}


def test_a_byte_order_mark_is_skipped(parser: str) -> None:
    assert data("\ufeffa: 1\n") == {"a": 1}
    assert whats("\ufeffa: 1\na: 2\n")[0].startswith("2:1 ")


def test_line_endings_are_normalized(parser: str) -> None:
    assert data("a: |\r\n  x\r\n  y\r\nb: 1\rc: 2\r") == {"a": "x\ny\n", "b": 1, "c": 2}


def test_nested_keys_have_positions(parser: str) -> None:
    found = read("version: 1\ntasks:\n  # why\n  b: {x: {y: z}}\n  a:\n    x: 1\n")
    assert found.keys == {"tasks": {"b": (4, 3), "a": (5, 3)}}


def test_a_duplicate_key_keeps_its_first_value_and_position(parser: str) -> None:
    found = read("t:\n  a: {x: 1}\n  a: {x: 2}\n  a: 3\n")
    assert found.data == {"t": {"a": {"x": 1}}}
    assert found.keys == {"t": {"a": (2, 3)}}
    assert [(f.position, f.path, f.code, f.facts) for f in found.findings] == [
        ((line, 3), ("t", "a"), Code.DUPLICATE_KEY, {"first_line": 2}) for line in (3, 4)
    ]


def test_problems_below_a_duplicate_key_are_reported(parser: str) -> None:
    assert whats("a: 1\na: {b: [.inf, {c: !x 1, d: 1, d: 2}]}\n") == [
        "2:9 a.b[0] TC109/special",
        "2:19 a.b[1].c TC108",
        "2:1 a TC106",
    ]


def test_a_later_syntax_error_does_not_hide_a_duplicate_key(parser: str) -> None:
    assert whats("a: 1\na: 2\nb: [\n") == [
        "2:1 a TC106",
        "4:1  TC105/value",
    ]


def test_an_escaped_null_character_is_rejected(parser: str) -> None:
    assert whats('a: "x\\0"\n') == ["1:4 a TC104/unsendable"]
    assert read('a: "\\e[0m \\x07"').findings == []  # written on purpose; shown escaped


@pytest.mark.parametrize("head", ["%TAG", "%TAG x y", "%TAG ! \n", "%TAG !e! a\n%TAG !e! a"])
def test_tag_directives(parser: str, head: str) -> None:
    (found,) = read(f"{head}\n---\na: 1\n").findings
    assert (found.code, found.case) == (Code.INVALID_YAML, "directive")


@pytest.mark.parametrize("head", ["%YAML 1.1", "%YAML 1.17", "%YAML 2.0", "%YAML x"])
def test_directives(parser: str, head: str) -> None:
    assert len(whats(f"{head}\n---\na: 1\n")) == 1


@pytest.mark.parametrize("text", ['"\\uD800"', '"\\UFFFFFFFF"'])
def test_invalid_escapes_are_rejected(parser: str, text: str) -> None:
    assert len(whats(f"a: {text}\n")) == 1


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("&a [", "]")]
)
def test_nesting_is_limited(parser: str, opening: str, closing: str) -> None:
    (found,) = read(opening * 5_000 + "x" + closing * 5_000).findings
    assert found.code in (Code.EXCESSIVE_NESTING, Code.INVALID_KEY)
    assert len(shown(found.path)) < 100


def test_nesting_behind_an_alias_counts_toward_the_limit(parser: str) -> None:
    deep = "[" * 60 + "x" + "]" * 60
    (found,) = read(f"a: &a {deep}\nb: {'[' * 60}*a{']' * 60}\n").findings
    assert found.code is Code.EXCESSIVE_NESTING
    assert whats(f"a: &a {deep}\nb: [[*a]]\n") == []


def test_alias_expansion_is_limited(parser: str) -> None:
    text = (
        "a: &a "
        + "x" * 1000
        + "\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
            for old, new in zip("abcdefg", "bcdefgh", strict=True)
        )
    )
    assert whats(text)[0].endswith(" TC112")


def test_small_aliases_are_accepted(parser: str) -> None:
    shared = "a: &a " + "x" * 2000 + "\n"
    assert whats(shared + "".join(f"b{i}: *a\n" for i in range(1000))) == []


def test_a_large_file_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MANIFEST_BYTES", 1024 * 1024)
    assert whats("# " + "x" * 1024 * 1024) == ["1:1  TC102"]


@pytest.mark.parametrize(
    "number", [0, 1, 8, 0xB, 0xC, 0x1B, 0x7F, 0x85, 0x9F, 0x2028, 0x2029, 0xFFFE]
)
def test_invisible_characters_are_rejected(number: int) -> None:
    (found,) = read(f"a: é\nb: é{chr(number)}\n").findings
    assert (found.code, found.position) == (Code.INVALID_CHARACTER, (2, 5))
    assert found.facts["character"] == f"U+{number:04X}"


def test_the_c_parser_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    assert source.c_parser() is not None
    monkeypatch.setitem(sys.modules, "ruamel.yaml.cyaml", None)
    assert source.c_parser() is None
    assert next(iter([Source(b"a: 1").events()()])) is not None


def test_spots() -> None:
    body = b"t:\n  a: &x\n    - 1\n    - {k: v}\n  b: *x\n  ? [c]\n  : d\n  e: |\n    f\n\n  g: 1\n"
    spots = locate(
        Source(body).events(),
        [("t", "a", 1, "k"), ("t", "b", 0), ("t", "e"), ("t", "g"), ("u",), ("t", "a", 1)],
    )
    assert spots == {
        ("t", "a", 1, "k"): SourceSpan(4, 8, 4, 11, 4, 1, 1),
        ("t", "b", 0): SourceSpan(5, 3, 5, 6, 5, 1, 2),
        ("t", "e"): SourceSpan(8, 3, 8, 6, 10, 1),
        ("t", "g"): SourceSpan(11, 3, 11, 6, 11, 1, 1),
        ("u",): SourceSpan(1, 1, 1, 1, 11),
        ("t", "a", 1): SourceSpan(4, 7, 4, 7, 4, 1, 6),
    }
    assert locate(Source(b"").events(), [()]) == {(): SourceSpan(1, 1, 1, 1, 1)}


def test_paths_are_shown_in_one_short_line() -> None:
    assert shown(()) == ""
    assert shown(("tasks", "a.b", "x", 0, "id")) == "tasks.a.b.x[0].id"
    assert shown(("tasks", "a\nb", "<<")) == 'tasks["a\\nb"]["<<"]'
    assert len(shown(("tasks", "x" * 10_000))) < 80
    assert len(shown((0,) * 1000)) < 60


def both(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, Source]:
    quick = read(text)
    with monkeypatch.context() as patch:
        patch.setattr(source, "c_parser", lambda: None)
        return quick, read(text)


def unopened(found: Source) -> tuple[Any, ...]:
    return found.body, found.data, found.keys, found.findings


@settings(max_examples=150)
@given(documents())
def test_both_parsers_read_the_same(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        quick, pure = both(text, patch)
    assert unopened(quick) == unopened(pure)


@settings(max_examples=300)
@given(SOUP)
def test_random_text_is_rejected_with_a_position_or_read_alike(text: str) -> None:
    # If only one parser accepts the text, the other reports a position: YAML 1.1 and 1.2 differ in
    # rare cases (an empty key, special characters in the name of an anchor).
    with pytest.MonkeyPatch.context() as patch:
        quick, pure = both(text, patch)
    if not quick.findings and not pure.findings:
        assert unopened(quick) == unopened(pure)
    for found in [*quick.findings, *pure.findings]:
        assert found.position is not None
        assert 1 <= found.position[0] <= text.count("\n") + 1


@pytest.mark.parametrize(
    "text", ["x \U0001f600 y", "\U0001f600\U0010ffff", "\\\U0001f600", 'q"\U0001f600']
)
@pytest.mark.usefixtures("parser")
def test_json_as_python_writes_it_is_read(text: str) -> None:
    content = json.dumps({"version": 1, "tasks": {"a": {"message": text}}}).encode()
    assert b"\\ud8" in content or b"\\udb" in content
    source = read_source(content)
    assert source.findings == []
    assert source.data["tasks"]["a"]["message"] == text


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "half \\\\ud83d\\ude00"])
def test_a_text_like_a_pair_stands_for_itself_outside_of_json(text: str) -> None:
    source = read_source(f"version: 1\ntasks: {{a: {{message: '{text}'}}}}\n".encode())
    assert source.data["tasks"]["a"]["message"] == text
    (found,) = read_source(b'{"a": "\\ud83d"}').findings
    assert found.code is Code.INVALID_YAML
