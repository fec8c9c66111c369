"""The hooks for repositories with manifests, installed and run by pre-commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests.support.checkout import checkout, git, git_environment
from tests.support.doc_blocks import ROOT

GOOD = "version: 1\norgName: acme\ntasks:\n  {key}:\n    message: Do it.\n"
PINS = {
    f"{canonicalize_name(name)}=={version}"
    for name, _, version in (
        line.partition("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    )
}
CONFIG = """\
repos:
  - repo: {tool}
    rev: v0
    hooks:
      - id: taskctl-validate
      - id: taskctl-fmt
      - id: taskctl-plan
"""


@dataclass(frozen=True)
class Repository:
    """A repository with manifests; `cache` is the cache directory of pre-commit."""

    folder: Path
    cache: Path

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        git(self.folder, "add", "--all")

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {
            n: v
            for n, v in git_environment().items()
            if not n.startswith(("PYTHON", "COV_", "TASKCTL", "PULUMI"))
        }
        tools = str(Path(sys.executable).parent)
        return subprocess.run(
            [f"{tools}/pre-commit", *arguments],
            cwd=self.folder,
            env={**kept, "PRE_COMMIT_HOME": str(self.cache), "HOME": str(self.cache), **more},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this project with a release tag."""
    clone = checkout(tmp_path_factory.mktemp("tool"))
    git(clone, "tag", "v0")
    return clone


@pytest.fixture
def repository(tmp_path: Path, cache: Path, tool: Path) -> Repository:
    made = Repository(tmp_path, cache)
    git(tmp_path, "init", "--quiet")
    made.write(".gitignore", ".taskctl/\ntaskctl.state.json*\n")
    made.write(".pre-commit-config.yaml", CONFIG.format(tool=tool))
    made.write("tasks/one.yaml", GOOD.format(key="one"))
    return made


@pytest.mark.tools
def test_a_valid_commit_passes_and_an_invalid_one_fails_with_its_line(
    repository: Repository,
) -> None:
    """The first of these tests also installs the environment that all three hooks share."""
    ran = repository.run("run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("Passed") == 2, ran.stdout
    assert "taskctl plan" not in ran.stdout
    repository.write("tasks/two.yaml", GOOD.format(key="two").replace("message", "mesage"))
    ran = repository.run("run", "taskctl-validate")
    assert ran.returncode == 1
    assert "tasks/two.yaml:5:5: error:" in ran.stdout
    assert "did you mean" in ran.stdout
    (python,) = repository.cache.glob("repo*/py_env-*/bin/python")
    assert {f"{name}=={version}" for name, version in installed(python)} <= PINS


def installed(python: Path) -> list[tuple[str, str]]:
    """The versions in an environment, without those of taskctl and of what virtualenv adds."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "list", "--format=json"]
    ended = subprocess.run(command, capture_output=True, check=True)
    found = [
        (canonicalize_name(each["name"]), each["version"]) for each in json.loads(ended.stdout)
    ]
    return [each for each in found if each[0] not in ("taskctl", "pip", "setuptools")]


@pytest.mark.tools
def test_the_default_locations_are_checked(repository: Repository) -> None:
    for name in ("notes.yaml", "other/tasks/x.yaml", "tasks/notes.md", "team/iam.tasks.yml"):
        repository.write(name, "nonsense: 1\n")
    ran = repository.run("run", "taskctl-validate")
    assert ran.returncode == 0, ran.stdout
    for name in ("iam.tasks.yaml", "tasks/deep/er/x.yml"):
        repository.write(name, "nonsense: 1\n")
        ran = repository.run("run", "taskctl-validate")
        assert (ran.returncode, f"{name}:1:1: error:" in ran.stdout) == (1, True), ran.stdout
        repository.write(name, GOOD.format(key=f"k{len(name)}"))


@pytest.mark.tools
def test_other_locations_are_arguments(repository: Repository) -> None:
    config = (repository.folder / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hook = "- id: taskctl-validate\n"
    place = f"{hook}        args: [ops]\n"
    repository.write(".pre-commit-config.yaml", config.replace(hook, place))
    repository.write("ops/a.yaml", "nonsense: 1\n")
    ran = repository.run("run", "taskctl-validate")
    assert (ran.returncode, "ops/a.yaml:1:1: error:" in ran.stdout) == (1, True), ran.stdout
    repository.write("ops/a.yaml", GOOD.format(key="a"))
    repository.write("tasks/one.yaml", "nonsense: 1\n")
    assert repository.run("run", "taskctl-validate").returncode == 0


@pytest.mark.tools
def test_a_repository_without_manifests_passes(repository: Repository) -> None:
    git(repository.folder, "rm", "--quiet", "--force", "--cached", "tasks/one.yaml")
    (repository.folder / "tasks" / "one.yaml").unlink()
    ran = repository.run("run", "taskctl-validate", "--verbose")
    assert ran.returncode == 0, ran.stdout
    assert "0 tasks in 0 files: valid." in ran.stdout


@pytest.mark.tools
def test_keys_are_compared_with_files_outside_the_commit(repository: Repository) -> None:
    git(repository.folder, "commit", "--quiet", "--no-verify", "--message=One")
    repository.write("tasks/again.yaml", GOOD.format(key="one"))
    ran = repository.run("run", "taskctl-validate")
    assert ran.returncode == 1
    assert "tasks/one.yaml" in ran.stdout
    assert "tasks/again.yaml" in ran.stdout


@pytest.mark.tools
def test_a_commit_of_a_prompt_alone_is_checked(repository: Repository) -> None:
    task = "version: 1\ntasks:\n  one: {message: {contentFile: ../prompts/one.txt}}\n"
    repository.write("tasks/one.yaml", task)
    repository.write("prompts/one.txt", "Do it.\n")
    assert repository.run("run").returncode == 0
    git(repository.folder, "commit", "--quiet", "--no-verify", "--message=One")
    repository.write("prompts/one.txt", "\n")
    ran = repository.run("run")
    assert (ran.returncode, "prompts/one.txt:1:1: error:" in ran.stdout) == (1, True)


@pytest.mark.tools
def test_a_commit_without_a_prompt_that_it_names_fails(repository: Repository) -> None:
    task = "version: 1\ntasks:\n  one: {message: {contentFile: ../prompts/one.txt}}\n"
    repository.write("tasks/one.yaml", task)
    (repository.folder / "prompts").mkdir()
    (repository.folder / "prompts/one.txt").write_text("Do it.\n")
    ran = repository.run("run", "taskctl-validate")
    assert (ran.returncode, "[TC116]" in ran.stdout) == (1, True), ran.stdout
    git(repository.folder, "add", "prompts/one.txt")
    assert repository.run("run", "taskctl-validate").returncode == 0


@pytest.mark.tools
def test_a_data_file_is_not_formatted(repository: Repository) -> None:
    data = "-   {name:   network}\n"
    repository.write("tasks/stacks.data.yaml", data)
    ran = repository.run("run", "--all-files", "taskctl-fmt")
    assert ran.returncode == 0, ran.stdout
    assert (repository.folder / "tasks" / "stacks.data.yaml").read_text() == data


@pytest.mark.tools
@pytest.mark.parametrize("stage", ["pre-push", "manual"])
def test_the_plan_is_shown_before_a_push_and_by_hand(repository: Repository, stage: str) -> None:
    ran = repository.run(
        "run", "taskctl-plan", f"--hook-stage={stage}", "--all-files", TASKCTL_BACKEND="local"
    )
    assert ran.returncode == 0, ran.stdout
    assert "Plan: 1 to create" in ran.stdout
    ran = repository.run("run", "taskctl-plan", f"--hook-stage={stage}", "--all-files")
    assert ran.returncode == 0  # without a token, a push is not blocked
    assert "PULUMI_ACCESS_TOKEN" in ran.stdout


@pytest.mark.tools
def test_a_commit_is_formatted(repository: Repository) -> None:
    untidy = "version:   1   \norgName: acme\ntasks:\n      one: {message: Do it.}   # why\n\n\n"
    repository.write("tasks/one.yaml", untidy)
    ran = repository.run("run", "taskctl-fmt")
    assert (ran.returncode, "files were modified by this hook" in ran.stdout) == (1, True)
    tidied = (repository.folder / "tasks" / "one.yaml").read_text(encoding="utf-8")
    assert tidied != untidy
    assert "# why\n" in tidied
    git(repository.folder, "add", "--all")
    assert repository.run("run").returncode == 0


@pytest.mark.tools
def test_the_hooks_file_is_valid_and_hooks_share_an_environment(tmp_path: Path) -> None:
    path = ROOT / ".pre-commit-hooks.yaml"
    tools = Path(sys.executable).parent
    ended = subprocess.run(
        [tools / "pre-commit", "validate-manifest", path],
        capture_output=True,
        check=False,
        env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stdout
    hooks = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    assert {hook["language"] for hook in hooks} == {"python"}
    pins = [hook["additional_dependencies"] for hook in hooks]
    assert pins == [["--constraint=constraints.txt"]] * len(hooks)
