"""The canonical form: formatting changes only white space, never the meaning."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest import fmt
from reconciler.manifest.fmt import format_manifest
from reconciler.manifest.parse import source
from reconciler.manifest.parse.source import read_source
from reconciler.model.codes import Code
from tests.support.manifest_layouts import texts
from tests.support.manifest_yaml import SOUP, documents

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["C", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(source, "c_parser", lambda: None)


def formatted(text: str) -> str:
    found = format_manifest(text.encode(), "tasks/a.yaml")
    assert found.content is not None, found.diagnostics
    again = format_manifest(found.content, "tasks/a.yaml")
    assert again.content == found.content
    assert not again.changed
    return found.content.decode()


BEFORE = dedent("""\


    # yaml-language-server: $schema=../../schemas/manifest.schema.json
    version:   1
    orgName: acme  \x20

    defaults:
        # permissionMode: read-only


    tasks:   # all of them
        # the first
        rotate:
            message: |   # why

                Rotate  it
                  all of it.\x20\x20

                # no comment
            # planMode: true
          # odd
            cliIntegrations:
            - {catalogId:   aws ,name: prod}
            # between
            -   catalogId: gcp   # one
                name: x          # two
        # the next
        review: &anchor
            message: >2-
                further in
              out
            enabledIntegrations: [
              {id: a},   # first
              # own
              {id: b} ]
            name: one
             two  \x20

             three   # behind
            role: "x\\x41 \\
                \\  y \\\x20
               z"
        again:  *anchor


    # end""")

AFTER = dedent("""\
    # yaml-language-server: $schema=../../schemas/manifest.schema.json
    version: 1
    orgName: acme

    defaults:
      # permissionMode: read-only

    tasks:   # all of them
      # the first
      rotate:
        message: |   # why

          Rotate  it
            all of it.\x20\x20

          # no comment
        # planMode: true
        # odd
        cliIntegrations:
          - {catalogId: aws, name: prod}
          # between
          - catalogId: gcp   # one
            name: x          # two
      # the next
      review: &anchor
        message: >2-
            further in
          out
        enabledIntegrations: [
            {id: a},   # first
            # own
            {id: b}]
        name: one
          two

          three   # behind
        role: "x\\x41 \\
          \\  y \\\x20
          z"
      again: *anchor

    # end
""")


@pytest.mark.usefixtures("parser")
def test_a_manifest_is_formatted() -> None:
    assert formatted(BEFORE) == AFTER
    assert formatted(BEFORE.replace("\n", "\r\n")) == AFTER
    assert formatted("\ufeff" + BEFORE) == AFTER


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1", "a: 1\n"),
        ("a:\n    b: 1\n    # c\n  # d", "a:\n  b: 1\n  # c\n# d\n"),
        ("a:\n    b: 1\n    # c", "a:\n  b: 1\n  # c\n"),
        ("--- # c\n\n\na: 1\n...\n\n", "--- # c\n\na: 1\n...\n"),
        ("%YAML 1.2\n---\na: 1\n---\n", "%YAML 1.2\n---\na: 1\n---\n"),
        ("a:\n- b\n-   - c\n    - d\n", "a:\n  - b\n  - - c\n    - d\n"),
        ("a:\n-\n      b: 1\n", "a:\n  -\n    b: 1\n"),
        ("a:\n    !!map\n    b: 010\n", "a:\n  !!map\n  b: 010\n"),
        ('{"a":1 , "b" : [ ] }\n', '{"a": 1, "b": [] }\n'),
        ("a: [ {  b: c  } ]\nd: {e: f}\ng: {  }\n", "a: [{ b: c }]\nd: {e: f}\ng: {}\n"),
        ('{\n    "a": {\n        "b": 1\n    }\n}\n', '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ("a: 1 #b\nb:   2#c\n", "a: 1 #b\nb: 2#c\n"),
        ("a: |+\n    x\n\n\n\nb: 1\n", "a: |+\n  x\n\n\n\nb: 1\n"),
        ("a: |\n    x\n\n\n\nb: 1\n", "a: |\n  x\n\nb: 1\n"),
        ("a: |+\n    x\n\n\n", "a: |+\n  x\n\n\n"),
        ("a: >\n\n\n   x\n    y\n\n   z\n", "a: >\n\n\n  x\n   y\n\n  z\n"),
        ("a: |\n    x\n      \t\n", "a: |\n  x\n    \t\n"),
        ("a: |\nb: >-\n   \nc:\n", "a: |\nb: >-\n\nc:\n"),
        ("a: 'x  \n\n\n  y'\n", "a: 'x\n\n\n  y'\n"),
        ("a:\n    'x'\n", "a:\n  'x'\n"),
        ("a:\n    [\n  1,\n  [2,\n3]]\n", "a:\n  [\n    1,\n    [2,\n      3]]\n"),
        ("a: [x: ,y]\n", "a: [x: , y]\n"),
        ("a: {b:  Why?}\nc: [10:30 , http://host]\n", "a: {b: Why?}\nc: [10:30, http://host]\n"),
    ],
)
def test_each_construct_is_formatted(before: str, after: str) -> None:
    assert formatted(before) == after


@pytest.mark.parametrize(("text", "meant"), [("a: |\n    x", "x"), ("a: |-\n  x", "x")])
def test_a_block_scalar_at_the_end_keeps_its_value(text: str, meant: str) -> None:
    """A newline added at the end of a file would become part of a block scalar that has none."""
    made = formatted(text)
    assert read_source(made.encode()).data == {"a": meant}
    assert made.endswith("\n") is not text.startswith("a: |\n")


def test_examples_are_in_canonical_form() -> None:
    for path in sorted((ROOT / "examples/tasks").glob("*.yaml")):
        assert not format_manifest(path.read_bytes(), path.name).changed, path


@given(st.one_of(texts(), documents(), SOUP))
def test_formatting_does_not_change_the_meaning(text: str) -> None:
    """The reader of validate finds the same data; the comments are the same; a second run changes
    nothing."""
    content = text.encode("utf-8", "surrogatepass")
    before, found = read_source(content), format_manifest(content, "f")
    if before.findings:
        assert found.content is None
        assert found.diagnostics
        return
    if found.content is None:
        # Only for text that looks like a marker: `  ---` is text, `---` is not.
        first = re.sub(r"\A(?:[ \ufeff]*(?:#[^\n]*)?\n)*", "", text)
        assert first.lstrip("\ufeff ").startswith(("---", "..."))
        return
    after = read_source(found.content)
    assert not after.findings
    assert repr(after.data) == repr(before.data)
    assert b"".join(found.content.split()) == b"".join(before.body.split())
    assert not [line for line in _outside_texts(found.content) if line != line.rstrip(b" \t")]
    assert not format_manifest(found.content, "f").changed


def _outside_texts(content: bytes) -> list[bytes]:
    """The lines of a file without multi-line scalars; otherwise none."""
    lines = content.split(b"\n")
    return [] if any(sign in content for sign in b"|>'\"") else lines


@given(texts())
def test_every_valid_layout_can_be_formatted(text: str) -> None:
    found = format_manifest(text.encode(), "f")
    assert found.content is not None
    assert b"\r" not in found.content
    assert (
        b"\n\n\n" not in found.content
        or b"|" in found.content
        or b">" in found.content
        or (b'"' in found.content or b"'" in found.content or b"begin" in found.content)
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1\n", Code.INVALID_YAML),
        ("a: 1\na: 2\n", Code.DUPLICATE_KEY),
        ("a: *x\n", Code.INVALID_ALIAS),
        ("", Code.EMPTY_DOCUMENT),
    ],
)
def test_invalid_yaml_is_rejected_as_by_validate(text: str, code: Code) -> None:
    found = format_manifest(text.encode(), "tasks/a.yaml")
    assert found.content is None
    assert not found.changed
    (problem,) = found.diagnostics
    assert problem.code is code
    assert (problem.file, problem.line) == ("tasks/a.yaml", problem.line or 1)


def test_schema_violations_do_not_prevent_formatting() -> None:
    assert formatted("nonsense:   yes\n") == "nonsense: yes\n"


@pytest.mark.parametrize(
    "made",
    [
        "a: 1\nb: 3\n",  # another text
        "a: 1\nb: '2'\n",  # another style
        "a: 1\nb: [\n",  # no form
        "a: 1\n  b: 2\n",  # another structure
        "a: 1\n#\nb: 2\n",  # a comment that was not there
    ],
)
def test_a_layout_that_changes_the_meaning_is_rejected(
    monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    monkeypatch.setattr(fmt, "lay_out", lambda text, pure: made)
    found = format_manifest(b"a: 1\nb:  2\n", "tasks/a.yaml")
    assert found.content is None
    (problem,) = found.diagnostics
    assert problem.code is Code.UNSAFE_EDIT
