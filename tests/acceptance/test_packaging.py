"""The built wheel is complete: tests pass with it in a new environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from reconciler import __version__
from tests.support.action_runner import quick_python
from tests.support.checkout import checkout
from tests.support.doc_blocks import ROOT, environment
from tools import audit
from tools.sbom import LOCKED

AGAINST_THE_WHEEL = (
    "tests/acceptance/test_cli_render_cases.py",
    "tests/acceptance/test_cli_serve.py",
    "tests/acceptance/test_cli_shell.py",
    "tests/acceptance/test_cli_validate.py",
    "tests/contract/test_sdk_tasks.py",
    "tests/unit/manifest/test_manifest_schema.py",
)
"""Those that a file missing from the wheel would fail: schemas, commands, renderers, endpoints."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = checkout(tmp_path_factory.mktemp("source"))
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)], source)
    return folder


@pytest.fixture(scope="session")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and the libraries of this environment."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent)
    python = folder / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "of-the-tests.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def run(command: list[str], folder: Path) -> str:
    """Runs a command that must succeed; returns its stdout."""
    env = environment(folder)
    env = {n: v for n, v in env.items() if not n.startswith(("PYTEST", "COV", "PYTHONPATH"))}
    path = f"{Path(command[0]).parent}{os.pathsep}{env['PATH']}"
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**env, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}:\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout


@pytest.mark.tools
def test_the_wheel_contains_only_the_package_and_its_schemas(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"taskctl-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"taskctl-{__version__}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode()
    assert {PurePosixPath(name).parts[0] for name in names} == {"reconciler", info}
    files = [p for p in (ROOT / "reconciler").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    schemas = {f"reconciler/schemas/{p.name}" for p in (ROOT / "schemas").glob("*.json")}
    shipped = {name for name in names if name.startswith("reconciler/")}
    assert shipped == {p.relative_to(ROOT).as_posix() for p in files} | schemas
    assert "reconciler/py.typed" in shipped
    assert f"{info}/licenses/LICENSE" in names
    for line in ("Name: taskctl", "License-Expression: Apache-2.0", "Requires-Python: >=3.11"):
        assert line in metadata.splitlines()


@pytest.mark.tools
def test_the_sdist_contains_everything_for_builds_and_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {"/".join(PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    for needed in ("pyproject.toml", "Makefile", "constraints.txt", "README.md", "LICENSE"):
        assert needed in names
    for folder in ("reconciler", "schemas", "examples", "docs", "tests"):
        for path in (ROOT / folder).rglob("*.[pmy]*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names
    assert not [name for name in names if name.startswith((".venv", ".taskctl", ".git/", ".demo"))]


@pytest.mark.tools
def test_the_installed_wheel_validates_plans_and_applies(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "tasks", tmp_path / "tasks")
    taskctl = [str(installed.parent / "taskctl")]
    local = ["--backend", "local", "--format", "json"]
    where = run([str(installed), "-c", "import reconciler; print(reconciler.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    said = run([str(installed), "-m", "reconciler", "--version"], tmp_path)
    assert said == run([*taskctl, "--version"], tmp_path) == f"taskctl {__version__}\n"
    assert "valid" in run([*taskctl, "validate"], tmp_path)
    plan = json.loads(run([*taskctl, "plan", "--out", "kept", *local], tmp_path))
    count = plan["summary"]["create"]
    assert count + plan["summary"]["held"] == len(plan["tasks"]) > count > 0
    done = json.loads(run([*taskctl, "apply", "kept", *local], tmp_path))
    assert done["summary"]["created"] == count
    again = json.loads(run([*taskctl, "apply", "--yes", *local], tmp_path))
    assert not {t["key"] for t in again["tasks"]} & {t["key"] for t in done["tasks"]}


@pytest.mark.tools
def test_the_tests_pass_against_the_wheel(installed: Path, tmp_path: Path) -> None:
    """In a directory with the tests and their data, but without the package."""
    for name in ("tests", "examples", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    pytest_command = [str(installed), "-m", "pytest", "-p", "no:cacheprovider"]
    said = run([*pytest_command, *AGAINST_THE_WHEEL], tmp_path)
    assert re.search(r"^\d{3,} passed|%\]$", said.strip(), re.M), said[-300:]


def test_all_dependencies_are_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {match[1].lower(): match[2] for line in lines if (match := PIN.match(line))}
    assert len(pinned) == len(lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for more in project["project"].get("optional-dependencies", {}).values():
        asked += more
    for group in project["dependency-groups"].values():
        asked += [line for line in group if isinstance(line, str)]
    for requirement in asked:
        name = re.split(r"[\[<>=~! ;]", requirement)[0].lower()
        assert name in pinned or name.replace("-", "_") in pinned, requirement


def test_ci_dependencies_are_pinned_by_hash_at_the_tested_versions() -> None:
    """`make lock` updates the hashes after a change of a version."""
    text = "".join((ROOT / file).read_text(encoding="utf-8") for file in LOCKED)
    assert "://" not in text
    locked = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", text, re.MULTILINE))
    parts = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(locked) == len(parts)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", part) for part in parts)
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_plain(m[1]): m[2] for line in lines if (m := PIN.match(line))}
    assert {name: pinned[_plain(name)] for name in locked} == locked
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for line in [*project["project"]["dependencies"], *project["build-system"]["requires"]]:
        name = _plain(re.split(r"[\[<>=~! ;]", line)[0])
        assert name in {_plain(n) for n in locked}, line


POSTGRESQL = f"--requirement {ROOT}/requirements-postgresql.txt"


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], False), (["--with", "postgresql"], True), (["--with", "x"], None), (["--help"], None)],
)
def test_script_install_installs_the_driver_of_postgresql_only_if_asked(
    tmp_path: Path, words: list[str], expected: bool | None
) -> None:
    """Its licence is the LGPL."""
    path = f"{quick_python(tmp_path / 'shim')}:{os.environ['PATH']}"
    command = [str(ROOT / "script/install"), *words, str(tmp_path / "prefix")]
    env = {**environment(tmp_path), "PATH": path, "PYTHON": "python3"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == (2 if expected is None else 0), ended.stderr
    if expected is not None:
        assert (POSTGRESQL in installed_by(tmp_path)) is expected


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("TASKCTL_STATE", "postgresql://db.example/states", True),
        ("INPUT_STATE", "postgresql://db.example/states", True),
        ("TASKCTL_STATE", "git:origin", False),
    ],
)
def test_the_action_installs_the_driver_of_postgresql_only_for_such_a_state(
    tmp_path: Path, name: str, state: str, expected: bool
) -> None:
    path = f"{quick_python(tmp_path / 'shim')}:{os.environ['PATH']}"
    env = {**environment(tmp_path), "PATH": path, name: state}
    env |= {"ACTION": str(ROOT), "RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": f"{tmp_path}/path"}
    command = ["bash", "-p", "-c", f". {ROOT}/action/install.sh"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (POSTGRESQL in installed_by(tmp_path)) is expected


def installed_by(folder: Path) -> str:
    """The arguments of pip's calls."""
    (log,) = folder.rglob("python.log")
    return log.read_text()


def test_the_image_is_built_from_files_that_docker_gets() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (sources,) = re.findall(r"^COPY (?!--)(.*) /build/$", dockerfile, re.MULTILINE)
    assert ["*", *(f"!{source}" for source in sources.split())] == ignored


UNCHECKED = """\
1 of 2 packages checked, 0 vulnerabilities
not checked: click==8.5.1
  pypi: no click
  osv: no click
"""


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ({"pypi": ["click"]}, "2 of 2 packages checked, 1 vulnerabilities\n  click 8.5.1: X-1\n"),
        (
            {"pypi": ["click"], "osv": ["click"]},
            UNCHECKED,
        ),
    ],
)
def test_make_audit_says_what_it_could_not_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unknown: dict[str, list[str]],
    expected: str,
) -> None:
    """Such as against an index without a JSON interface."""
    (tmp_path / "constraints.txt").write_text("click==8.5.1\nidna==3.15\n")
    program = tmp_path / "pip-audit"
    program.write_text(
        "import json, sys\n"
        "words = sys.argv\n"
        f"unknown = {unknown!r}.get(words[words.index('--vulnerability-service') + 1], [])\n"
        "found = []\n"
        "for pin in open(words[-1]).read().split():\n"
        "    name, _, version = pin.partition('==')\n"
        "    bad = [{'id': 'X-1'}] if name == 'click' else []\n"
        "    found.append({'name': name, 'skip_reason': 'no ' + name} if name in unknown else\n"
        "                 {'name': name, 'version': version, 'vulns': bad})\n"
        "print(json.dumps({'dependencies': found}))\n"
    )
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    assert audit.main([sys.executable, str(program)]) == 1
    assert capsys.readouterr().out == expected


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


PIN = re.compile(r"([A-Za-z0-9._-]+)==([\w.+!-]+)$")


def test_the_classifiers_list_the_pythons_that_ci_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    (tested,) = re.findall(r"^        python: (\[.*\])$", workflow, re.MULTILINE)
    assert listed == json.loads(tested)
    assert project["requires-python"] == f">={listed[0]}"
