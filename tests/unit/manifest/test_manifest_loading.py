"""All files together: duplicates, moves, equal prompts, limits, and organization options."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from reconciler.manifest import cross_file
from reconciler.manifest.loader import Manifests, load
from reconciler.manifest.parse import source
from reconciler.model import limits
from reconciler.model.diagnostics import has_errors
from reconciler.model.glob import first_match
from tests.support.manifest_cases import CASES, NAMES, expected, lines, loaded

ROOT = Path(__file__).parents[3]


def of(folder: Path, **texts: str) -> Manifests:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text("version: 1\n" + text)
    return load(["."], root=folder)


@pytest.mark.parametrize("name", NAMES)
def test_the_pure_parser_reports_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "c_parser", lambda: None)
    assert lines(load([name], root=CASES)) == expected(name)


def test_the_examples_are_valid() -> None:
    manifests = load(["examples/tasks"], root=ROOT)
    assert manifests.diagnostics == ()
    assert len(manifests.files) >= 6
    used = {name for task in manifests.tasks for name in task.inputs}
    texts = "".join((ROOT / name).read_text("utf-8") for name in manifests.files)
    assert used == {
        "message",
        "approvalMode",
        "planMode",
        "enabledIntegrations",
        "cliIntegrations",
        "permissionMode",
        "toolExecutionMode",
        "source",
        "role",
        "agentDefinitionId",
        "name",
        "isShared",
    }
    words = ("taskID:", "movedFrom:", "maxCreates:", "commands:", "remove:")
    for word in (*words, "contentFile:"):
        assert word in texts
    for name in manifests.files:
        head, _, path = (ROOT / name).read_text("utf-8").splitlines()[0].partition("$schema=")
        assert head == "# yaml-language-server: "
        assert ((ROOT / name).parent / path).resolve() == ROOT / "schemas/manifest.schema.json"


def test_the_order_of_paths_does_not_matter(tmp_path: Path) -> None:
    a = of(
        tmp_path, b="tasks: {b: {message: x}}\n", a="tasks: {z: {message: y}, a: {message: z}}\n"
    )
    assert [task.key for task in a.tasks] == ["z", "a", "b"]
    assert load(["b.yaml", "a.yaml"], root=tmp_path) == load(["a.yaml", "b.yaml"], root=tmp_path)


def test_the_smallest_limit_applies(tmp_path: Path) -> None:
    made = of(
        tmp_path, a="maxCreates: 7\ntasks: {}\n", b="tasks: {}\n", c="maxCreates: 0\ntasks: {}\n"
    )
    assert made.max_creates == 0
    assert loaded("version: 1\ntasks: {}\n", tmp_path / "..", "x.yaml").max_creates is None


def test_one_key_in_two_organizations_is_two_tasks(tmp_path: Path) -> None:
    made = of(
        tmp_path,
        a="orgName: one\ntasks: {k: {message: x, movedFrom: old}}\n",
        b="orgName: two\ntasks: {k: {message: x, movedFrom: old}, old2: {message: y}}\n",
    )
    assert made.diagnostics == ()
    assert len(made.tasks) == 3


def test_an_organization_option_can_cause_duplicate_keys(tmp_path: Path) -> None:
    made = of(
        tmp_path,
        a="orgName: acme\ntasks: {k: {message: x}, m: {message: y, movedFrom: old}}\n",
        b="tasks: {k: {message: z}, n: {message: x}, old: {message: w}}\n",
    )
    assert made.diagnostics == ()
    assert made.in_org("other").diagnostics == ()
    resolved = made.in_org("acme")
    assert {task.org_name for task in resolved.tasks} == {"acme"}
    assert [task.org_from_manifest for task in resolved.tasks] == [True, True, False, False, False]
    assert lines(resolved) == [
        "a.yaml:3:26: error: TC303/declared tasks.m.movedFrom",
        "b.yaml:2:9: error: TC301 tasks.k",
        "b.yaml:2:26: error: TC304/equal tasks.n",
    ]


def test_an_organization_option_changes_nothing_else(tmp_path: Path) -> None:
    made = of(tmp_path, a="tasks: {k: {message: x}, n: {message: x}}\n")
    resolved = made.in_org("acme")
    assert resolved.diagnostics == made.diagnostics
    assert [task.ref for task in resolved.tasks] == [("acme", "k"), ("acme", "n")]


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ("orgName: acme\ntasks: {}\nremoved: [k*]\n", "tasks: {k: {message: z}}\n", "b.yaml:2:9"),
        ("orgName: acme\ntasks: {k: {message: z}}\n", "tasks: {}\nremoved: [k]\n", "a.yaml:3:9"),
        ("orgName: acme\ntasks: {}\nremoved: [n*]\n", "tasks: {k: {message: z}}\n", None),
    ],
)
def test_an_organization_option_can_declare_a_removed_task(
    tmp_path: Path, a: str, b: str, found: str | None
) -> None:
    made = of(tmp_path, a=a, b=b)
    assert made.diagnostics == ()
    expected = [] if found is None else [f"{found}: error: TC305 tasks.k"]
    assert lines(made.in_org("acme")) == expected


@pytest.mark.parametrize(
    "text", ["orgName: acme\ntasks: {k: {message: x}}\n", "tasks: {k: {message: x}}\n"]
)
def test_an_organization_option_compares_tasks_with_globs_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Unless only some manifests specify an organization, nothing new can be found."""
    compared: list[str] = []

    def counting(patterns: Iterable[str], key: str) -> str | None:
        compared.append(key)
        return first_match(patterns, key)

    monkeypatch.setattr(cross_file, "first_match", counting)
    of(tmp_path, a=f"{text}removed: [old-*]\n").in_org("acme")
    assert compared == ["k"]


def test_the_first_glob_above_the_limit_is_reported(tmp_path: Path) -> None:
    stars = "a*" * 100
    made = of(
        tmp_path,
        a=f"tasks: {{}}\nremoved: [{stars}, {stars}]\n",
        b=f"tasks: {{gone-x: {{message: x}}}}\nremoved: [gone-*, {stars}]\n",
    )
    assert lines(made) == ["b.yaml:3:19: error: TC314/stars removed[1]"]


def test_tasks_without_errors_are_loaded(tmp_path: Path) -> None:
    made = of(tmp_path, a="tasks: {k: {message: x, y: z}, n: {message: ok}}\n")
    assert has_errors(made.diagnostics)
    assert [task.key for task in made.tasks] == ["n"]


def test_every_diagnostic_of_a_task_has_its_key(tmp_path: Path) -> None:
    made = of(tmp_path, a="tasks: {k: {message: x, y: z}, n: {}}\nfoo: 1\n")
    assert [(d.key, d.line) for d in made.diagnostics] == [("k", 2), ("n", 2), (None, 3)]


def test_the_garbage_collector_setting_is_restored(tmp_path: Path) -> None:
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            of(tmp_path, a="tasks: {}\n")
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


def test_diagnostics_at_one_position_differ_by_their_hash(tmp_path: Path) -> None:
    """Otherwise a prompt with very many placeholders takes quadratic time."""
    prompt = " ".join(f"${{v{number}}}" for number in range(100))
    made = of(tmp_path, a=f"tasks: {{a: {{message: '{prompt}'}}}}\n")
    assert len({d.line for d in made.diagnostics}) == 1
    assert len({hash(d) for d in made.diagnostics}) == limits.TASK_FINDINGS


def test_credentials_are_located_within_their_value(tmp_path: Path) -> None:
    tokens = [f"ghp_{number:036d}" for number in range(3)]
    made = of(
        tmp_path,
        a=f"# {tokens[1]}\ntasks:\n  a:\n    message: |\n      {tokens[0]} {tokens[1]}\n\n"
        f"      {tokens[2]} {tokens[0]}\n  b: {{message: 'x'}}\n",
    )
    assert [(d.line, d.column) for d in made.diagnostics] == [(6, 7), (6, 48), (8, 7)]


def test_validate_does_not_import_slow_modules(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\ntasks: {a: {message: hi}}\n")
    code = (
        "import sys; from pathlib import Path; from reconciler.manifest.loader import load;"
        "m = load(['a.yaml'], root=Path('.')); assert m.tasks and not m.diagnostics;"
        "print(*{n.partition('.')[0] for n in sys.modules}, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    unwanted = {"requests", "deepdiff", "rich", "jsonschema", "sqlite3", "difflib"}
    assert unwanted & set(done.stdout.split()) == set()


def test_three_thousand_tasks_are_loaded(tmp_path: Path) -> None:
    tasks = "".join(
        f"  t{i}:\n    message: |\n      Job {i}\n      of many.\n    planMode: true\n"
        for i in range(3_000)
    )
    made = of(tmp_path, a="defaults: {approvalMode: manual}\ntasks:\n" + tasks)
    assert len(made.tasks) == 3_000
    assert made.tasks[-1].line == 4 + 5 * 2_999
    assert made.diagnostics == ()
    bad = of(tmp_path, a="tasks:\n" + tasks.replace("planMode: true", "planMode: on"))
    assert len(bad.diagnostics) == 3_000
    assert [d.line for d in bad.diagnostics[:2]] == [7, 12]
