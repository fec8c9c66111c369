"""`taskctl init` and `taskctl schema` in a new repository."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reconciler.cli.main import COMMANDS, app, run
from reconciler.manifest.fmt import format_manifest
from reconciler.manifest.loader import load
from reconciler.model import limits
from reconciler.system.resources import schema_text, template_text

ROOT = Path(__file__).resolve().parents[2]
ALL = [
    ".github/workflows/taskctl-apply.yml",
    ".github/workflows/taskctl-plan.yml",
    ".github/workflows/taskctl-run.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
    "taskctl.schema.json",
    "taskctl.toml",
    "tasks/example.yaml",
]
FIRST = [".gitignore", *ALL[5:]]
"""The files that are always written."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [".gitignore", "taskctl.schema.json"])
def test_a_huge_file_is_not_read(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tasks").mkdir()
    with (folder / name).open("wb") as file:
        file.truncate(limits.CONFIG_BYTES + 1)
    assert run(["init"]) == 1
    assert f"{name}: error: larger than 1048576 bytes" in capsys.readouterr().err
    assert (folder / name).stat().st_size == limits.CONFIG_BYTES + 1


def files(folder: Path) -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and ".git" not in p.relative_to(folder).parts
    )


def test_the_first_manifest_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("wrote  tasks/example.yaml\n")
    assert "Next steps:\n    taskctl validate " in said.out
    assert len(said.out.splitlines()) <= 12
    assert files(folder) == FIRST
    manifests = load([], root=folder)
    assert (len(manifests.tasks), manifests.diagnostics) == (1, ())
    content = (folder / "tasks/example.yaml").read_bytes()
    assert not format_manifest(content, "example.yaml").changed
    capsys.readouterr()
    assert run(["apply", "--backend", "local", "--yes"]) == 0
    assert capsys.readouterr().err == ""  # in particular, nothing about a lost state


@pytest.mark.parametrize("words", [["init", "infra"], ["init", "-C", "infra"]])
def test_the_next_steps_can_be_pasted(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (folder / "infra").mkdir()
    assert run(words) == 0
    commands = re.findall(r"^    (taskctl [^#\n]*)", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command
    assert (folder / "infra" / ".gitignore").exists()
    assert files(folder)[0].startswith("infra/")
    assert not (folder / "taskctl.toml").exists()


@pytest.mark.parametrize("words", [["init", "infra"], ["init", "-C", "infra"]])
def test_the_next_steps_are_about_the_new_manifest(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Below a configuration, whose manifests the same commands with -C would use."""
    (folder / ".git").mkdir()
    (folder / "infra").mkdir()
    assert run(["init", "-q"]) == 0
    (folder / "tasks/example.yaml").write_text("version: 1\norgName: acme\ntasks: {}\n")
    capsys.readouterr()
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert "does not read infra/tasks" in err
    commands = re.findall(r"^    (taskctl [^#\n]*)", out, re.MULTILINE)
    assert len(commands) == 2  # hooks and workflows belong in the root
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command
        assert re.search("^1 task in|example-unused-stacks", capsys.readouterr().out, re.MULTILINE)


def test_without_manifests_init_is_suggested(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--backend", "local"]) == 1
    assert "    taskctl init\n" in capsys.readouterr().err
    assert files(folder) == []


@pytest.mark.parametrize("is_repository", [True, False])
def test_manifests_in_a_directory_above_are_suggested(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_repository: bool,
) -> None:
    assert run(["init"]) == 0
    if is_repository:
        (folder / ".git").mkdir()
        (folder / "taskctl.toml").unlink()
    (folder / "sub/below").mkdir(parents=True)
    for below, up in (("sub", ".."), ("sub/below", "../..")):
        monkeypatch.chdir(folder / below)
        capsys.readouterr()
        assert run(["validate"]) == 1
        said = capsys.readouterr().err
        assert "[TC802]" in said
        assert f"    taskctl plan -C {up}\n" in said
        assert run(["-C", up, "validate"]) == 0
    monkeypatch.chdir(folder)
    assert run(["-C", "sub", "validate"]) == 1
    assert "    taskctl plan -C .\n" in capsys.readouterr().err


def test_git_ignores_files_that_can_be_recreated(folder: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert run(["init", "-q"]) == run(["apply", "--backend", "local", "--yes", "-q"]) == 0
    assert (folder / ".taskctl/local.state.json").exists()
    listed = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert {line[3:] for line in listed.stdout.splitlines()} == set(FIRST)


def test_other_files_are_written_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--hook", "--workflow"]) == 0
    written = capsys.readouterr().out
    assert files(folder) == ALL
    assert "repos:" not in written
    assert "replace `your-org/taskctl` with " in written
    assert "more files" not in written
    assert run(["init", "--hook", "infra"]) == 0
    assert "    taskctl init --workflow -C infra\n" in capsys.readouterr().out
    assert (folder / ".gitignore").read_text() == template_text("gitignore")


def test_a_saved_plan_is_ignored(folder: Path) -> None:
    """It contains prompts."""
    git(folder, "init", "-q")
    assert run(["init", "-q"]) == 0
    assert run(["plan", "--backend", "local", "-o", "plan.taskctl", "-q"]) == 0
    assert "plan.taskctl" not in git(folder, "status", "--short", "--untracked-files=all")


def test_the_content_of_a_file_that_exists_is_shown_if_requested(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".pre-commit-config.yaml").write_text("repos: []\n")
    for number in range(50):
        (folder / f"{number}.tasks.yaml").write_text("tasks: {}\n")
    assert run(["init"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 14
    assert "kept   46 more\n" in out
    assert run(["init", "--hook"]) == 0
    shown = capsys.readouterr().out
    for row in template_text("pre-commit-config.yaml").splitlines():
        assert f"    {row}".rstrip() in shown.splitlines()


@pytest.mark.parametrize("option", ["--hook", "--workflow"])
def test_the_content_of_a_file_that_is_up_to_date_is_not_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert run(["init", option]) == 0
    capsys.readouterr()
    assert run(["init", option]) == 0
    out = capsys.readouterr().out
    assert "exists. Add" not in out
    name = ".pre-commit-config.yaml" if option == "--hook" else ".github/workflows/taskctl-plan.yml"
    assert f"kept   {name} (up to date)\n" in out
    assert "tasks/example.yaml\n" in out
    if option == "--workflow":  # the first text that differs is shown
        (folder / ".github/workflows/taskctl-run.yml").write_text("name: mine\n")
        assert run(["init", option]) == 0
        out = capsys.readouterr().out
        assert out.count("exists. Add") == out.count("taskctl-run.yml exists. Add") == 1


def test_an_organization_for_manifests_that_exist_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0
    (folder / "own.tasks.yaml").write_text("version: 1\norgName: other\ntasks: {}\n")
    capsys.readouterr()
    assert run(["init", "--org", "ACME"]) == 0
    out = capsys.readouterr().out
    assert "tasks/example.yaml exists. Add what it lacks of:\n\n    orgName: ACME\n" in out
    assert out.count("exists. Add") == 1
    assert "# orgName: my-org" in (folder / "tasks/example.yaml").read_text()


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everything = ["init", "--hook", "--workflow"]
    for name in ALL[:5]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "tasks").mkdir()
    (folder / "tasks/own.yaml").write_text("tasks: {}\n")
    assert run([*everything, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["formatVersion"] == 1
    assert document["written"] == [".gitignore", "taskctl.toml"]
    assert sorted(document["kept"]) == [*ALL[:3], ".pre-commit-config.yaml", "tasks/own.yaml"]
    assert files(folder) == [*ALL[:5], "taskctl.toml", "tasks/own.yaml"]
    assert (folder / ".gitignore").read_text() == "mine\n" + template_text("gitignore")
    assert (folder / ".pre-commit-config.yaml").read_text() == "mine"
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    assert run(everything) == 0
    said = capsys.readouterr().out
    assert "wrote" not in said
    assert "kept   .gitignore\n" in said
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_another_directory_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "a/b"]) == 0
    assert "wrote  a/b/tasks/example.yaml\n" in capsys.readouterr().out
    assert files(folder / "a/b") == FIRST
    assert run(["init", "-q", "-C", "a", "c"]) == 0
    assert capsys.readouterr().out == ""
    assert files(folder / "a/c") == FIRST


def test_below_the_root_of_a_repository_the_place_for_hooks_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".git").mkdir()
    assert run(["init"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["init", "a/b"]) == 0
    err = capsys.readouterr().err
    assert "replace `tasks` with a/b/tasks, and run taskctl with -C a/b." in err
    assert "`working-directory: a/b`" in err


def test_a_write_error_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tasks").write_text("a file")
    assert run(["init"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tasks/example.yaml: error: cannot be written: ")


def git(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stdout


def test_gitignore_covers_everything_that_belongs_to_one_machine(folder: Path) -> None:
    git(folder, "init", "-q")
    run(["init", "-q"])
    state = "taskctl.state.json"
    (folder / ".taskctl").mkdir()
    for suffix in ("", ".journal", ".lock", ".backup", ".1a2b.tmp"):
        (folder / f"{state}{suffix}").write_text("")
    (folder / ".taskctl/local.db").write_text("")
    status = git(folder, "status", "--porcelain", "--untracked-files=all")
    assert sorted(line[3:] for line in status.splitlines()) == sorted(FIRST)


@pytest.mark.tools
def test_the_hook_runs_in_pre_commit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(folder, "init", "-q")
    run(["init", "--hook", "-q"])
    (folder / "bin").mkdir()
    (folder / "bin/taskctl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    (folder / "bin/taskctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{Path(sys.executable).parent}", prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PRE_COMMIT_HOME", str(folder / "cache"))
    git(folder, "add", ".pre-commit-config.yaml", "tasks")
    hooks = [sys.executable, "-m", "pre_commit", "run"]
    ran = subprocess.run(hooks, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("Passed") == 2
    manifest = folder / "tasks/example.yaml"
    manifest.write_text(manifest.read_text().replace("    name:", "      name:"))
    git(folder, "add", "tasks")
    ran = subprocess.run(hooks, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "tasks/example.yaml:" in ran.stdout


def test_the_configuration_that_applies_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".git").mkdir()
    (folder / "taskctl.toml").write_text('state = "git:upstream"\npaths = ["infra/tasks"]\n')
    assert run(["init", "infra", "--workflow"]) == 0
    out, err = capsys.readouterr()
    assert "does not read" not in err
    assert "kept   taskctl.toml\n" in out
    assert "taskctl.toml exists. Add what it lacks of:\n\n    max-creates = 50\n" in out
    assert not (folder / "infra/taskctl.toml").exists()
    assert run(["init", "other"]) == 0
    assert "taskctl.toml applies here, but does not read other/tasks" in capsys.readouterr().err


def test_a_configuration_that_init_wrote_gets_the_shared_state(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == run(["init", "--workflow"]) == 0
    out = capsys.readouterr().out
    assert ("wrote  taskctl.toml\n" in out, "taskctl.toml exists" in out) == (True, False)
    text = (folder / "taskctl.toml").read_text()
    assert 'state = "git:origin"\nmax-creates = 50\n' in text
    assert "add state" not in text
    (folder / "taskctl.toml").write_text("parallelism = 3\n")
    assert run(["init", "--workflow"]) == 0
    assert 'Add what it lacks of:\n\n    state = "git:origin"\n' in capsys.readouterr().out
    assert (folder / "taskctl.toml").read_text() == "parallelism = 3\n"


def test_a_workflow_needs_no_edit_if_everything_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The organization is never in taskctl.toml, which anyone can change in a pull request."""
    commit, url = "4" * 40, "https://github.example/platform/agents.git"
    installed = json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}})
    monkeypatch.setattr(PathDistribution, "read_text", lambda *_: installed)
    words = ["init", "--workflow", "--org", "example", "--machine-user", "example-bot"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "replace" not in out
    for name in ALL[:3]:
        text = (folder / name).read_text()
        assert f"uses: platform/agents@{commit} # v" in text
        assert not re.search(r"Replace|COMMIT|your-org|acme", text), name
        assert "organization: example\n" in text
        user = "example-bot-plan" if name.endswith("plan.yml") else "example-bot"
        assert f"scope: user:{user}\n" in text
    assert "orgName: example\n" in (folder / "tasks/example.yaml").read_text()
    config = (folder / "taskctl.toml").read_text()
    assert "example" not in config.replace("example-bot", "")
    for line in (
        'state = "git:origin"',
        "max-creates = 50",
        'run-workflow = "taskctl-run.yml"',
        'apply-as = "login:example-bot"',
    ):
        assert line in config.splitlines()
    assert "    taskctl state init " in out
    (add,) = re.findall(r"^    (git add .*?)  +#", out, re.MULTILINE)
    git(folder, "init", "-q")
    subprocess.run(shlex.split(add), check=True)
    assert "??" not in git(folder, "status", "--porcelain", "--untracked-files=all")
    assert run(words) == 0  # nothing is left to write
    assert "git add" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [("init", "infra"), ("init", "-C", "infra")])
def test_the_files_of_another_folder_can_be_added_from_here(
    folder: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "infra").mkdir()
    git(folder, "init", "-q")
    assert run([*words, "--workflow"]) == 0
    (add,) = re.findall(r"^    (git add .*?)  +#", capsys.readouterr().out, re.MULTILINE)
    subprocess.run(shlex.split(add), check=True)
    assert "??" not in git(folder, "status", "--porcelain", "--untracked-files=all")


@pytest.mark.parametrize("value", ["a b", "$(x)", "", "-x", "a\n"])
def test_a_name_that_no_workflow_should_have_is_refused(folder: Path, value: str) -> None:
    assert run(["init", "--workflow", f"--org={value}"]) == 1
    assert run(["init", "--workflow", f"--machine-user={value}"]) == 1
    assert files(folder) == []


@pytest.mark.parametrize("name", ["github-plan.yml", "github-apply.yml"])
def test_the_workflows_run_whatever_has_changed(name: str) -> None:
    """Also a policy, a data file outside of tasks/, or taskctl.toml changes what is applied."""
    events = YAML(typ="safe", pure=True).load(template_text(name))["on"]
    triggers = [events[name] or {} for name in ("push", "pull_request") if name in events]
    filters = {key for trigger in triggers for key in trigger}
    assert filters <= {"branches"}


@pytest.mark.parametrize("name", ["manifest", "plan", "state"])
def test_a_schema_is_printed_unchanged(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", name]) == 0
    text = capsys.readouterr().out
    assert text == schema_text(name) == (ROOT / f"schemas/{name}.schema.json").read_text()
    if name == "manifest":
        assert run(["schema"]) == 0
        assert capsys.readouterr().out == text


def schema_named_by(manifest: Path) -> Path:
    """The schema that yaml-language-server reads for a manifest, relative to its directory."""
    first = manifest.read_text().splitlines()[0]
    head, _, named = first.partition("$schema=")
    assert head == "# yaml-language-server: "
    return manifest.parent / named


def test_an_editor_finds_the_schema(folder: Path) -> None:
    run(["init", "-q"])
    made = schema_named_by(folder / "tasks/example.yaml")
    assert json.loads(made.read_text())["$id"] == "urn:taskctl:schema:manifest:1"
    for path in sorted((ROOT / "examples/tasks").glob("*.yaml")):
        assert schema_named_by(path).samefile(ROOT / "schemas/manifest.schema.json")


def test_the_schemastore_entry_is_valid() -> None:
    """Its catalog requires a name, a description, file patterns and a URL."""
    entry = json.loads((ROOT / "docs/schemastore.json").read_text())
    assert set(entry) == {"name", "description", "fileMatch", "url"}
    assert entry["fileMatch"] == ["*.tasks.yaml", "*.tasks.yml"]  # Ansible also uses `tasks/*.yaml`
    assert entry["url"].startswith("https://")
    assert entry["url"].endswith("/schemas/manifest.schema.json")
    for word in ("schema", "json"):  # their rule for descriptions
        assert word not in entry["description"].lower()


def test_every_command_has_examples_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    context = app.make_context("taskctl", ["validate"])
    lines = [[name] for name in COMMANDS]
    state = app.get_command(context, "state")
    lines += [["state", name] for name in getattr(state, "commands", {})]
    for line in [[], *lines]:
        assert run([*line, "--help"]) == 0
        shown = capsys.readouterr().out
        examples = shown.partition("\nExamples:\n")[2]
        assert "  taskctl" in examples, line


@pytest.mark.parametrize("name", ["manifest", "plan", "state"])
def test_each_schema_has_a_unique_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == f"urn:taskctl:schema:{name}:1"
