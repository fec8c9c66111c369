"""A service that repeats the prompt of a sensitive task in its errors: no output shows it."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from reconciler.render import FORMATS
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.sandbox import STATE, TOKEN, Ended, Sandbox

PROMPT = """\
Move the \u201coffer\u201d of Globex Corporation to the vault & tell nobody.

- Ask "Quentin" <quentin@globex.test> about it before Halloween.
"""
WORDS = ("globex", "vault", "quentin", "halloween", "offer")
"""No output may contain one of these words."""

ECHOES: Mapping[str, Callable[[str], str]] = {
    "verbatim": str,
    "JSON": json.dumps,
    "JSON-in-JSON": lambda text: json.dumps(json.dumps(text)),
    "HTML": lambda text: html.escape("".join(f"&#{ord(c)};" for c in text)) + html.escape(text),
    "URL": quote,
    "upper-case": str.upper,
    "a-word": lambda text: f"unknown name {text.split()[4]!r}",
    "spaced": lambda text: " ".join(text),
    "reversed": lambda text: text[::-1],
    "base64": lambda text: b64encode(text.encode()).decode(),
}
ID = {"X-Pulumi-Request-ID": "req-4711"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        (tmp_path / "here" / ".git").mkdir(parents=True)
        yield Sandbox(tmp_path / "here", server)


def write(sandbox: Sandbox, *, sensitive: bool = True, **more: str) -> None:
    plain = {key: {"message": text} for key, text in more.items()}
    sandbox.write({"secret": {"message": PROMPT, "sensitive": sensitive}, **plain})


def set_rules(sandbox: Sandbox, *rules: Rule) -> None:
    assert isinstance(sandbox.server, FaultServer)
    sandbox.server.set_rules(*rules)


def run(sandbox: Sandbox, command: str, *more: str) -> tuple[Ended, str]:
    """The command, and all it wrote: in every format, with all details."""
    kinds = [name for name in FORMATS if name != "json"] if command in ("plan", "apply") else []
    reports = [word for name in kinds for word in ("--report", f"{name}=out.{name}")]
    ended = sandbox.run(command, "-v", *reports, *more)
    written = [(sandbox.folder / f"out.{name}").read_text() for name in kinds]
    return ended, "\n".join([ended.stdout, ended.stderr, *written])


def forms(word: str) -> set[str]:
    """How an output may contain a word."""
    codes = "".join(f"&#{ord(c)};" for c in word)
    return {word, " ".join(word), word[::-1], codes, codes.replace("&", "&amp;")}


def assert_silent(text: str) -> None:
    folded = text.casefold()
    for word in WORDS:
        for form in forms(word):
            assert form not in folded, word
    assert b64encode(PROMPT.encode()).decode()[:12] not in text


def assert_kept_only_as_input(sandbox: Sandbox) -> None:
    """The state and its journal contain the prompt as an input of the task, and nothing else."""
    for path in sandbox.folder.glob(f"{STATE}*"):
        text = path.read_text()
        assert_silent(text.replace(json.dumps(PROMPT), "").replace(json.dumps(PROMPT)[1:-1], ""))


def faults(echo: str) -> Iterator[tuple[str, Fault]]:
    """The answers of a service and of proxies, with an echo."""
    text = f"field message: {ECHOES[echo](PROMPT)}"
    yield "400", Fault("status", status=400, text=text, headers=ID)
    yield "409", Fault("status", status=409, text=text, headers=ID)
    yield "500", Fault("status", status=500, text=text, headers=ID)
    page = {"Content-Type": f"text/{quote(text)[:60]}", **ID}
    yield "page", Fault("raw", status=502, text=f"<p>{text}</p>", headers=page)
    yield "no-json", Fault("raw", status=200, text=text, headers=page)
    yield "no-http", Fault("wire", text=f"{text}\r\n\r\n")


@pytest.mark.parametrize("echo", ECHOES)
def test_no_error_of_a_create_repeats_the_prompt(sandbox: Sandbox, echo: str) -> None:
    write(sandbox)
    found = dict(faults(echo))
    for name in found if echo == "verbatim" else ("400", "page"):
        fault = found[name]
        set_rules(sandbox, Rule("create", fault))
        applied, text = run(sandbox, "apply")
        assert applied.code == 1, name
        (task,) = applied.document["tasks"]
        if name == "400":
            assert task["error"] == "(sensitive) (HTTP 400)"
        assert_silent(text)
        assert_kept_only_as_input(sandbox)


@pytest.mark.parametrize("endpoint", ["list", "user", "default-org", "budget"])
def test_no_error_about_all_tasks_repeats_the_prompt(sandbox: Sandbox, endpoint: str) -> None:
    write(sandbox, plain="Rotate the keys.")
    if endpoint == "default-org":
        path = sandbox.folder / "tasks" / "all.yaml"
        path.write_text(path.read_text().replace('"orgName": "acme", ', ""))
    for name, fault in faults("verbatim"):
        set_rules(sandbox, Rule(endpoint, fault))
        for command in ("plan", "apply"):
            ended, text = run(sandbox, command)
            if endpoint == "list" and name == "500":
                assert ended.code == 1
                assert "500: (sensitive) (X-Pulumi-Request-ID req-4711)" in ended.stdout
            assert_silent(text)


@pytest.mark.parametrize("endpoint", ["list", "get", "events", "patch", "user"])
def test_no_error_about_an_existing_task_repeats_the_prompt(
    sandbox: Sandbox, endpoint: str
) -> None:
    """Also if only the state says that the task is sensitive."""
    write(sandbox)
    assert run(sandbox, "apply")[0].code == 0
    for key in ("secret", "nothing-more"):  # first declared, then orphaned
        made = {"message": PROMPT, "sensitive": True, "name": "A name"}
        sandbox.write({key: made} if key == "secret" else {})
        for name, fault in faults("verbatim"):
            if name not in ("400", "page"):
                continue
            set_rules(sandbox, Rule(endpoint, fault))
            for words in (
                ("plan", "--update"),
                ("apply", "--update"),
                ("status",),
                ("results",),
                ("wait", "--timeout", "1s"),
                ("show", "secret"),
                ("logs", "secret"),
                ("say", "secret", "Go on."),
                ("say", "secret", "Go on.", "--format", "json"),
                ("cancel", "secret", "-y"),
            ):
                assert_silent(run(sandbox, *words)[1])


def test_the_error_of_another_task_is_shown(sandbox: Sandbox) -> None:
    write(sandbox, plain="Rotate the keys.")
    refused = Fault("status", status=400, text="no such role")
    set_rules(sandbox, Rule("create", refused, contains="Rotate the keys."))
    applied, text = run(sandbox, "apply")
    assert applied.results() == {"plain": "failed", "secret": "created"}
    assert "no such role (HTTP 400)" in applied.document["tasks"][0]["error"]
    assert_silent(text)


def test_the_error_of_a_lookup_is_withheld_for_all_tasks(sandbox: Sandbox) -> None:
    """Any of the tasks that were looked up may have caused it."""
    write(sandbox, plain="Rotate the keys.")
    lost = Rule("create", Fault("reset", committed=True), contains="Rotate the keys.")
    failing = Rule("list", Fault("status", status=500, text=PROMPT, headers=ID), nth=(3, 4, 5, 6))
    set_rules(sandbox, lost, failing)
    applied, text = run(sandbox, "apply")
    assert applied.results()["secret"] == "created"
    assert_silent(text)


def test_a_saved_plan_of_other_tasks_repeats_no_prompt(sandbox: Sandbox) -> None:
    """A lookup may be about the sensitive task, also if the plan is not."""
    write(sandbox, plain="Rotate the keys.")
    assert run(sandbox, "apply")[0].code == 0
    (sandbox.folder / STATE).unlink()
    set_rules(sandbox, Rule("events", Fault("status", status=500, text=PROMPT, headers=ID)))
    planned, text = run(sandbox, "plan", "--target", "plain", "--out", "saved.taskctl")
    assert planned.actions() == {"plain": "unresolved"}
    saved = (sandbox.folder / "saved.taskctl").read_text()
    assert "Rotate the keys." in saved
    assert_silent(text + saved)


def test_the_error_about_a_removed_task_is_withheld(sandbox: Sandbox) -> None:
    write(sandbox)
    assert run(sandbox, "apply")[0].code == 0
    path = sandbox.folder / "tasks" / "all.yaml"
    path.write_text("version: 1\norgName: acme\ntasks: {}\nremoved: [secret]\n")
    assert run(sandbox, "apply")[0].results() == {"secret": "forgotten"}
    set_rules(sandbox, Rule("get", Fault("status", status=500, text=PROMPT, headers=ID)))
    ended, text = run(sandbox, "results", "--format", "csv")
    assert ended.code == 1
    assert_silent(text)


def test_an_internal_error_shows_where_and_not_what(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise RuntimeError(PROMPT)

    monkeypatch.setattr("reconciler.apply.loop.Loop.run", fail)
    write(sandbox)
    applied, text = run(sandbox, "apply")
    assert applied.code == 1
    assert ", in fail\n" in applied.stderr
    assert "RuntimeError" in text
    assert_silent(text)


def test_without_a_sensitive_task_errors_are_complete(sandbox: Sandbox) -> None:
    write(sandbox, sensitive=False)
    set_rules(sandbox, Rule("list", Fault("status", status=500, text="disk full", headers=ID)))
    planned, _ = run(sandbox, "plan")
    assert "500: disk full (X-Pulumi-Request-ID req-4711)" in planned.stdout
