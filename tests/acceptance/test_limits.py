"""Small inputs that ask for gigabytes or hours are refused early, by the table of limits; the
largest legitimate ones pass."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from reconciler import limits
from tests.support.sandbox import ROOT, TOKEN

MEASURE = """
import json, resource, sys
from reconciler import limits
from reconciler.cli.main import run
limits.POLICY_SECONDS = 0.2
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024]), file=sys.stderr)
"""
SMALL = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
"""A small parent: the memory of the process that starts another one counts for that one, too."""

MAX_SECONDS, MAX_MIB = 30, 300
"""Of CPU time, of which a busy machine needs more. Without limits, it would be hours."""


class Measured(NamedTuple):
    """A finished command: its exit code, the codes of its errors, its CPU time in seconds, and
    its memory in MiB."""

    code: int
    codes: list[str]
    seconds: float
    mib: int

    def assert_refused(self, code: str) -> None:
        assert (self.code, set(self.codes)) == (1, {code})
        assert self.seconds < MAX_SECONDS
        assert self.mib < MAX_MIB


Run = Callable[..., Measured]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / ".git").mkdir()
    (tmp_path / "tasks").mkdir()
    (tmp_path / "data").mkdir()

    def run(*arguments: str) -> Measured:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PULUMI_ACCESS_TOKEN": TOKEN}
        ended = subprocess.run(
            [*SMALL, sys.executable, "-c", MEASURE, *arguments, "--format", "json"],
            cwd=tmp_path,
            env={**env, "PULUMI_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=True,
        )
        code, seconds, mib = json.loads(ended.stderr.splitlines()[-1])
        found = json.loads(ended.stdout)["diagnostics"]
        errors = [each["code"] for each in found if each["severity"] == "error"]
        return Measured(code, errors, seconds, mib)

    return run


def write_tasks(folder: Path, tasks: str, name: str = "a") -> None:
    text = f"version: 1\norgName: acme\ntasks:\n{tasks}"
    (folder / "tasks" / f"{name}.yaml").write_text(text)


def numbers(folder: Path, count: int) -> None:
    (folder / "data/n.txt").write_text("".join(f"{n}\n" for n in range(count)))


FROM_FILE = "forEach: {n: {file: ../data/n.txt}, atMost: 100000}"


# Entries


def test_the_tasks_of_all_entries_together_are_limited(tmp_path: Path, run: Run) -> None:
    numbers(tmp_path, limits.GENERATED_TASKS // 2)
    entry = f"{{{FROM_FILE}, message: 'do it'}}\n"
    write_tasks(tmp_path, "".join(f"  e{n}: {entry}" for n in range(3)))
    numbers(tmp_path, 34_000)
    run("validate").assert_refused("TC314")


def test_an_entry_with_100000_tasks_is_valid(tmp_path: Path, run: Run) -> None:
    numbers(tmp_path, limits.GENERATED_TASKS)
    write_tasks(tmp_path, f"  e: {{{FROM_FILE}, message: 'do {{{{ n }}}}'}}\n")
    assert run("validate").code == 0


@pytest.mark.parametrize("in_file", [False, True])
def test_the_text_of_all_entries_together_is_limited(
    tmp_path: Path, run: Run, *, in_file: bool
) -> None:
    numbers(tmp_path, 900)
    prompt = "{{ n }} " + "x" * 60_000
    (tmp_path / "prompt.md").write_text(prompt)
    message = "{contentFile: ../prompt.md}" if in_file else f'"{prompt}"'
    entry = f"{{forEach: {{n: {{file: ../data/n.txt}}}}, message: {message}}}\n"
    write_tasks(tmp_path, f"  e: {entry}")
    assert run("validate").code == 0
    write_tasks(tmp_path, "".join(f"  e{n}: {entry}" for n in range(20)))
    run("validate").assert_refused("TC314")


def test_a_prompt_file_of_1_mib_in_an_entry_of_60_is_valid(tmp_path: Path, run: Run) -> None:
    numbers(tmp_path, 60)
    text = "{{ n }}\n".ljust(limits.NAMED_FILE_BYTES, "x")
    (tmp_path / "prompt.md").write_text(text)
    entry = "{forEach: {n: {file: ../data/n.txt}}, message: {contentFile: ../prompt.md}}\n"
    write_tasks(tmp_path, f"  e: {entry}")
    assert run("validate").code == 0
    numbers(tmp_path, 1_000)
    run("validate").assert_refused("TC314")


def test_the_length_of_a_path_is_limited(tmp_path: Path, run: Run) -> None:
    path = "a/" * 400_000
    write_tasks(tmp_path, f"  a: {{message: do it, expect: {{data: {path}x.json}}}}\n")
    run("validate").assert_refused("TC101")


@pytest.mark.parametrize("unit", ["#taskctl:ignore[ ", "content: a#"])
def test_a_prompt_full_of_comments_is_read_quickly(tmp_path: Path, run: Run, unit: str) -> None:
    """Of a length for which a search of the rest of the line at each of them takes minutes."""
    write_tasks(tmp_path, f'  a: {{message: "{unit * (600_000 // len(unit))}"}}\n')
    ended = run("validate")
    assert ended.code == 0
    assert ended.seconds < MAX_SECONDS


@pytest.mark.parametrize("program", ["name: x\nresources: ", '{"deployment": '])
def test_a_program_that_is_nested_too_deeply(tmp_path: Path, run: Run, program: str) -> None:
    (tmp_path / "x").write_text(program + "[" * 300_000)
    run("import", "--backend", "local", "--dry-run", "--from", "x").assert_refused("TC111")


@pytest.mark.parametrize("name", [f"a{'.' * 100}!", "/".join(["a..b@c"] * 30) + "!"])
def test_any_name_of_a_plan_or_task_is_understood_quickly(run: Run, name: str) -> None:
    """A search that tries each way to divide the name would never end."""
    run("show", name).assert_refused("TC101")


def test_a_plan_after_blank_lines_is_refused_quickly(tmp_path: Path, run: Run) -> None:
    (tmp_path / "x.plan").write_text("\n" * 600_000 + "x")
    run("show", "x.plan").assert_refused("TC650")


# The configuration

CONFIGURATIONS = {
    "levels": f"x = {'[' * 400_000}",
    "digits": f"x = {'9' * 5_000}",
    "key": "a." * 400_000 + "a = 1",
    "quoted key": "'a' .\t" * 100_000 + "a = 1",
    "keys": "".join(f"k{n} = 1\n" for n in range(80_000)),
    "tables": "".join(f"[a{n}.b]\n" for n in range(80_000)),
    "paths": "paths = [" + '"a",' * 200_000 + "]",
    "path": f"paths = ['{'a/' * 400_000}']",
    "spaces": f"{' ' * 500_000}x\n",
}


@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_configuration_is_read_quickly(tmp_path: Path, run: Run, text: str) -> None:
    write_tasks(tmp_path, "  a: {message: do it}\n")
    (tmp_path / "taskctl.toml").write_text(text)
    run("validate").assert_refused("TC805")


# Policies

_TWICE = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)}
POLICIES: dict[str, Any] = {
    "endless": {"$defs": {**_TWICE, "s40": {}}, "$ref": "#/$defs/s0"},
    "slow": {"$defs": {**_TWICE, "s12": {}}, "$ref": "#/$defs/s0"},
    "expression": {"properties": {"key": {"pattern": "^(.|[a-z])*!$"}}},
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("count", [1, 20])
def test_the_work_of_a_policy_is_limited(tmp_path: Path, run: Run, policy: Any, count: int) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "".join(f"  {'a' * 40}{n}: {{message: x}}\n" for n in range(count)))
    if count == 1 and policy is POLICIES["slow"]:
        assert run("validate").code == 0
    else:
        run("validate").assert_refused("TC502")


def test_a_policy_for_10000_tasks_is_evaluated(tmp_path: Path, run: Run) -> None:
    rules = {f"x{n}": {"type": "string"} for n in range(50)}
    wide = {"allOf": [{"properties": {"key": {"pattern": "^[a-z0-9]+$"}, **rules}}] * 20}
    (tmp_path / "policy.json").write_text(json.dumps(wide))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "".join(f"  a{n}: {{message: x}}\n" for n in range(10_000)))
    assert run("validate").code == 0


def test_checking_a_policy_is_limited(tmp_path: Path, run: Run) -> None:
    """The check of the schema itself takes a time for each of its values."""
    (tmp_path / "taskctl.toml").write_text('policy = "policy.yaml"\n')
    write_tasks(tmp_path, "  a: {message: do it}\n")
    twice = "".join(f"  a{n}: &a{n} {{allOf: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 16))
    (tmp_path / "policy.yaml").write_text("$defs:\n  a0: &a0 {minLength: 1}\n" + twice)
    run("validate").assert_refused("TC502")


# Expectations


def test_checking_all_schemas_is_limited(tmp_path: Path, run: Run) -> None:
    tasks = "".join(f"  t{n}: {{message: x, expect: {{data: ../s{n}.json}}}}\n" for n in range(9))
    for n in range(9):
        schema = {"title": str(n), "allOf": [{"minLength": 1}] * 4_000}
        (tmp_path / f"s{n}.json").write_text(json.dumps(schema))
    write_tasks(tmp_path, tasks)
    run("validate").assert_refused("TC319")


def test_a_schema_is_checked_once_for_all_its_tasks(tmp_path: Path, run: Run) -> None:
    tasks = "".join(f"  t{n}: {{message: x, expect: {{data: ../s.json}}}}\n" for n in range(5_000))
    schema = {"allOf": [{"minLength": 1}] * 4_000}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    write_tasks(tmp_path, tasks)
    ended = run("validate")
    assert ended.code == 0
    assert ended.seconds < MAX_SECONDS


# Dependencies


def test_a_cycle_of_all_tasks_is_reported_quickly(tmp_path: Path, run: Run) -> None:
    count = 20_000
    after = (f"  t{n}: {{message: x, after: [t{(n + 1) % count}]}}\n" for n in range(count))
    write_tasks(tmp_path, "".join(after))
    ended = run("validate")
    assert set(ended.codes) == {"TC320", "TC830"}
    assert ended.seconds < MAX_SECONDS


# Directories


def test_directories_that_are_nested_too_deeply(tmp_path: Path, run: Run) -> None:
    write_tasks(tmp_path, "  a: {message: do it}\n")
    levels = limits.FOLDER_DEPTH + 1
    (tmp_path / "tasks" / "/".join(["a"] * levels)).mkdir(parents=True)
    run("validate").assert_refused("TC101")


# The service


@contextmanager
def _serving(page: Callable[[str, int], bytes]) -> Iterator[tuple[str, list[str]]]:
    """A service whose list pages are gzipped; `page` makes one from its path and number."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: 40 ms less for each response

        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/api/user":
                body = b'{"id": "u", "githubLogin": "me"}'
            else:
                body = page(self.path, len(asked))
            body = gzip.compress(body, 1) if len(body) < 1 << 16 else gzip.compress(body, 9)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


MIB = 1 << 20
BOMBS = {
    "white space": lambda: b'{"tasks": []' + b" " * (64 * MIB) + b"}",
    "empty lists": lambda: b'{"tasks": [' + b"[]," * (5 * MIB) + b"[]]}",
    "objects": lambda: b'{"tasks": [' + b'{"":0},' * (2 * MIB) + b"{}]}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_compressed_response_is_limited(
    tmp_path: Path, run: Run, bomb: Callable[[], bytes]
) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")
    body = bomb()
    with _serving(lambda path, _: body) as (url, _):
        measured = run("plan", "--backend", url)
    assert measured.code == 1
    assert measured.seconds < MAX_SECONDS
    assert measured.mib < MAX_MIB


def _page(number: int, last: int) -> bytes:
    """A page with one task of somebody else, which is older than that of the page before."""
    created = (datetime(2026, 11, 24, tzinfo=UTC) - timedelta(seconds=number)).isoformat()
    tasks = [{"id": f"t{number}", "createdAt": created, "createdBy": {"githubLogin": "other"}}]
    more = {"continuationToken": str(number + 1)} if number < last else {}
    return json.dumps({"tasks": tasks, **more}).encode()


@pytest.mark.parametrize("last", [limits.LIST_PAGES, limits.LIST_PAGES + 1])
def test_the_pages_of_a_list_are_limited(tmp_path: Path, run: Run, last: int) -> None:
    """A list can always name a new task on its next page."""
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str, _: int) -> bytes:
        return _page(int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0]), last)

    with _serving(page) as (url, asked):
        measured = run("plan", "--backend", url)
    if last == limits.LIST_PAGES:
        assert measured.code == 0
    else:
        measured.assert_refused("TC714")
        assert sum("pageSize" in path for path in asked) == limits.LIST_PAGES


# Options


@pytest.mark.parametrize("given", ["257", "20000000"])
def test_parallelism_is_limited(tmp_path: Path, run: Run, given: str) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")
    run("plan", "--parallelism", given).assert_refused("TC804")
    (tmp_path / "taskctl.toml").write_text(f"parallelism = {given}\n")
    run("validate").assert_refused("TC805")
    (tmp_path / "taskctl.toml").write_text(f"parallelism = {limits.PARALLELISM}\n")
    assert run("validate").code == 0
    assert run("plan", "--backend", "local").code == 0
