"""The catalog of messages: every code has a section, and every case has a wording."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import reconciler
from reconciler.messages.catalog import AREAS, Message, codes, entry, messages_of, section
from reconciler.messages.remarks import templates
from reconciler.messages.template import fill
from reconciler.model.codes import Code
from reconciler.model.remarks import Arg
from reconciler.model.shell import WORDS
from tools.messages_file import facts_of

KINDS = "|".join([*WORDS, "cmd"])
PACKAGE = Path(reconciler.__file__).parent


@cache
def used() -> frozenset[tuple[str, str]]:
    """Each string and each name of a code that the package's own modules use."""
    return frozenset(_used())


def _used() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "messages" and path.name != "codes.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield "text", node.value
                elif isinstance(node, ast.Attribute):
                    yield "name", node.attr


SUFFIX = re.compile(r"\.lost$")
"""Of a case that the code composes: `f"{case}.lost"`."""


def test_each_code_has_a_section() -> None:
    assert len(Code) == len(Code.__members__), "two names of one code"
    for code in codes():
        found = entry(code)
        assert re.fullmatch(r"TC[1-8]\d\d", code.value)
        assert all([found.title, found.why, found.fix, found.cases]), code
        assert "TC" not in re.sub(r"ignore\[TC\d{3}\]", "", section(code))


def test_the_explanations_stay_short() -> None:
    """Fewer than 25 words for each code, on average: `explain` is read in the middle of work."""
    words = sum(len(f"{entry(code).why} {entry(code).fix}".split()) for code in codes())
    assert words < 25 * len(list(codes()))


def cases() -> Iterator[tuple[Code, Message]]:
    for code in codes():
        for message in entry(code).cases.values():
            yield code, message


def test_every_case_has_a_wording() -> None:
    for code, message in cases():
        facts = facts_of(message)
        summary, detail, _ = (fill(part, facts) for part in message)
        assert summary, code
        assert "\n" not in summary, code
        assert not re.search(r"[{}](?![{}\]`])", detail.replace("{ }", "")), code


@pytest.mark.parametrize(("count", "words"), [("1", "1 of your 1 key"), ("2", "1 of your 2 keys")])
def test_numbers_of_keys_have_their_plural(count: str, words: str) -> None:
    facts = ("kibor", "1", "", "", "", "1", count)
    assert fill("{of:states}", {"of": facts}) == f"  kibor  1 task, {words}"


def test_every_code_and_case_is_reported() -> None:
    for code in codes():
        assert ("name", code.name) in used()
        named = {SUFFIX.sub("", case) for case in entry(code).cases}
        assert {case for case in named if case and ("text", case) not in used()} == set(), code


def test_each_code_has_one_section_and_each_remark_a_wording() -> None:
    files = [name for names in AREAS.values() for name in names]
    folder = PACKAGE / "messages"
    others = ["examples", "remarks", "notes", "questions"]
    assert sorted([*files, *others]) == sorted(path.stem for path in folder.glob("*.md"))
    headings = [
        line
        for name in files
        for line in (folder / f"{name}.md").read_text().splitlines()
        if line.startswith("## ")
    ]
    assert headings == [f"## {code.value} {entry(code).title}" for code in codes()]
    remarks = (folder / "remarks.md").read_text()
    assert len(templates("remarks")) == len(re.findall(r"^- ", remarks, re.MULTILINE))


def test_a_command_is_quoted() -> None:
    """Every fact in a command has the format that quotes it for a shell."""
    for code, message in cases():
        assert not re.search(rf"(?<!\{{)\{{\w+(?!:({KINDS})\}})[:}}]", message.command), code


def test_commands_are_lines_of_their_own() -> None:
    """There, they get the options of a run. A sentence before them says what they are for."""
    worded = [message for _, message in cases()] + list(templates("remarks").values())
    for message in worded:
        assert "`taskctl " not in message.summary + message.detail, message
        assert not message.command or message.detail.endswith(":"), message
    assert not [
        case
        for case, text in templates("notes", "questions").items()
        if "`taskctl " in text.summary
    ]


EVIL = "$(touch owned)`;"


def test_no_invalid_value_appears_in_a_command() -> None:
    for code, message in cases():
        facts = {n: EVIL if isinstance(v, str) else v for n, v in facts_of(message).items()}
        its_own = r"\{(\w+):cmd\}|\{(name|count):sh\}"  # of the user, or of the code
        own: dict[str, Arg] = dict.fromkeys(map("".join, re.findall(its_own, message.command)), "x")
        _, detail, command = (fill(part, facts | own) for part in message)
        commands = [command, *re.findall(r"`((?:taskctl|pulumi) .*?)`", detail)]
        commands += re.findall(r"^(?:  .*|.*: (?:taskctl|pulumi) .*)$", detail, re.MULTILINE)
        assert not [found for found in commands if "touch" in found and EVIL in found], code


SHOWS = re.compile(r".*\.(note|detail|ask|read_line|interruptible)|_?confirm", re.DOTALL)
"""The functions that show a note or ask a question."""


def notes() -> Iterator[tuple[str, list[str], set[str]]]:
    """Each place that names a note or a question: the place, the cases, the facts that it gives."""
    for path in (*PACKAGE.glob("app/*.py"), *PACKAGE.glob("cli/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func, args, keywords) if SHOWS.fullmatch(ast.unparse(func)):
                    facts = {found.arg for found in keywords if found.arg} - {"strict"}
                case ast.Assign([ast.Name(id="note" | "question")], value):
                    args, facts = [value], set()
                case _:
                    continue
            named = (each for arg in args for each in ast.walk(arg))
            cases = [str(each.value) for each in named if isinstance(each, ast.Constant)]
            if cases:
                yield f"{path.name}:{node.lineno}", cases, facts


def test_each_note_and_question_has_a_wording_and_is_shown() -> None:
    wordings = templates("notes", "questions")
    for case, text in wordings.items():
        assert ("text", case) in used(), case
        assert text.summary, case
        assert not text.detail, case
    places = list(notes())
    assert len(places) > 50
    for place, cases, _ in places:
        assert set(cases) <= wordings.keys(), place


def test_each_note_receives_its_facts() -> None:
    for place, cases, facts in notes():
        if facts and "yes" not in facts:
            wordings = "".join(map("".join, (templates("notes", "questions")[c] for c in cases)))
            assert set(re.findall(r"\{([a-z_]+)", wordings)) == facts, place


def test_no_name_of_a_fact_is_glued_to_a_word_or_to_another() -> None:
    for message in (each for code in codes() for each in messages_of(code)):
        words = re.sub(r"`[^`]*`|taskID|[A-Z]s\b", "", message)
        assert not re.search(r"[a-z][A-Z]{2}|[A-Z]{2}[a-z]", words), message
        assert message.strip(" :,;()")
