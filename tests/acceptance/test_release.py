"""`make release` builds the same files from the same commit, wherever and whenever it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler import __version__
from tests.support.checkout import checkout, git, git_environment
from tests.support.doc_blocks import ROOT
from tools.release import archived
from tools.sbom import EXTRAS, LOCKED, graph, own_needs, pins

TAG = f"v{__version__}"
FILES = {
    f"taskctl-{__version__}.tar.gz",
    f"taskctl-{__version__}-py3-none-any.whl",
    "taskctl.cdx.json",
    "NOTES.md",
    "SHA256SUMS",
}


def release(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.release"],
        cwd=folder,
        env={**git_environment(), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(folder: Path) -> str:
    ran = release(folder)
    assert ran.returncode == 1
    assert not (folder / "dist").exists()
    return ran.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    ran = release(source)
    assert ran.returncode == 0, ran.stderr
    return source / "dist"


@pytest.fixture
def clone(source: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", str(source), "clone")
    return tmp_path / "clone"


@pytest.mark.tools
def test_another_clone_gives_the_same_files(built: Path, clone: Path) -> None:
    assert {path.name for path in built.iterdir()} == FILES
    ran = release(clone, TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1")
    assert ran.returncode == 0, ran.stderr
    again = {path.name: path.read_bytes() for path in (clone / "dist").iterdir()}
    assert again == {path.name: path.read_bytes() for path in built.iterdir()}
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.tools
def test_the_checksums_are_those_of_the_files(built: Path) -> None:
    lines = (built / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert sums == {
        name: hashlib.sha256((built / name).read_bytes()).hexdigest()
        for name in FILES - {"SHA256SUMS"}
    }


@pytest.mark.tools
def test_the_notes_have_the_changes_and_the_commit_to_pin(built: Path, source: Path) -> None:
    notes = (built / "NOTES.md").read_text(encoding="utf-8")
    assert f"@{git(source, 'rev-parse', 'HEAD').strip()} # {TAG}`" in notes
    assert "### Added" in notes
    assert "# Changelog" not in notes


@pytest.mark.tools
def test_the_page_of_a_package_index_has_no_relative_link(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/METADATA"))
        page = archive.read(name).decode()
    links = re.findall(r"\[[^]]*]\(([^)]*)\)", page)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    (picture,) = (link for link in links if link.endswith("/plan-and-apply.svg"))
    assert picture.startswith("https://raw.githubusercontent.com/")


@pytest.mark.tools
def test_a_build_that_is_not_reproducible_is_refused(clone: Path) -> None:
    hook = "import os\nfrom hatchling.builders.hooks.plugin.interface import BuildHookInterface\n\n"
    hook += "class Hook(BuildHookInterface):\n    def initialize(self, version, build_data):\n"
    hook += "        with open('reconciler/where.txt', 'w') as file:\n"
    hook += "            file.write(os.getcwd())\n"
    (clone / "hatch_build.py").write_text(hook, encoding="utf-8")
    with (clone / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n[tool.hatch.build.hooks.custom]\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message=A build that depends on its directory")
    assert "two builds differ: taskctl-" in refused(clone)


@pytest.mark.tools
def test_uncommitted_changes_are_refused(clone: Path) -> None:
    (clone / "new.txt").write_text("new\n", encoding="utf-8")
    assert "uncommitted changes" in refused(clone)


@pytest.mark.tools
def test_a_tagged_commit_needs_its_section_of_the_changelog(clone: Path) -> None:
    changelog = clone / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    for heading in (f"[{__version__}]", "[Unreleased]"):  # without a date, or under another name
        changelog.write_text(text.replace("[Unreleased]", heading, 1), encoding="utf-8")
        git(clone, "commit", "--quiet", "--all", "--message=Release", "--allow-empty")
        git(clone, "tag", "--force", TAG)
        assert f"has no section ## [{__version__}] - YYYY-MM-DD" in refused(clone)


@pytest.mark.tools
def test_a_tag_of_another_commit_is_refused(clone: Path) -> None:
    git(clone, "tag", "--annotate", "--message=Taken", TAG)
    git(clone, "commit", "--quiet", "--allow-empty", "--message=Later")
    assert f"{TAG} is a tag of another commit" in refused(clone)


@pytest.mark.tools
def test_the_bill_of_materials_has_what_taskctl_needs_to_run_and_nothing_else(built: Path) -> None:
    text = (built / "taskctl.cdx.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    assert "//" not in text.replace("http://cyclonedx.org", "")  # the address of no index
    assert document["metadata"]["component"]["version"] == __version__
    components = {component["name"]: component for component in document["components"]}
    assert {"click", "requests", "urllib3", "idna", "obstore"} <= components.keys()
    assert not {"hatchling", "pytest", "mypy", "pathspec"} & components.keys()
    assert components["click"]["scope"] == "required"
    assert components["obstore"]["scope"] == "optional"  # only needed by an extra
    locked = "".join((ROOT / file).read_text(encoding="utf-8") for file in LOCKED)
    assert components["click"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert components["psycopg"]["licenses"] == [{"expression": "LGPL-3.0-only"}]
    for component in components.values():
        assert component["licenses"]
        name = re.escape(component["name"]).replace(r"\-", "[-_.]")
        assert re.search(rf"(?i)^{name}=={re.escape(component['version'])}\b", locked, re.MULTILINE)
        (files,) = component["externalReferences"]
        assert all(one["content"] in locked for one in files["hashes"])
        assert files["hashes"]
    known = {one["bom-ref"] for one in [document["metadata"]["component"], *components.values()]}
    edges = {edge["ref"]: edge["dependsOn"] for edge in document["dependencies"]}
    assert (
        edges.keys()
        == known
        == {target for to in edges.values() for target in to}
        | {document["metadata"]["component"]["bom-ref"]}
    )


def test_requirements_has_what_runs_and_builds_taskctl_and_nothing_else() -> None:
    locked = pins(*LOCKED)
    runs = graph(locked, own_needs(EXTRAS))
    builds = graph(locked, [("hatchling", frozenset())])
    assert locked.keys() == runs.keys() | builds.keys()
    main = pins("requirements.txt")
    assert main.keys() == graph(locked, own_needs(("objects",))).keys() | builds.keys()
    assert pins("requirements-postgresql.txt").keys() == locked.keys() - main.keys()


def test_the_configuration_of_git_changes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "script").write_bytes(b"#!/bin/sh\necho\n")
    git(tmp_path, "add", "script")
    git(tmp_path, "commit", "--quiet", "--message=A script")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    before = archived("HEAD", tmp_path)
    (tmp_path / "attributes").write_text("* text eol=crlf\n")
    for file in ("gitconfig", ".git/config"):
        with (tmp_path / file).open("a") as config:
            config.write("[core]\n\tautocrlf = true\n\teol = crlf\n[tar]\n\tumask = 0077\n")
            config.write(f"\tx = 1\n[core]\n\tattributesFile = {tmp_path}/attributes\n")
        assert archived("HEAD", tmp_path) == before
    assert b"#!/bin/sh\necho\n" in before


SIGNERS = "ada@example.com bob@example.com"


@pytest.mark.tools
@pytest.mark.parametrize(
    ("email", "verified", "target", "signers", "code"),
    [
        ("ada@example.com", True, "HEAD", SIGNERS, 0),
        ("bob@example.com", True, "HEAD", SIGNERS, 0),
        ("mallory@example.com", True, "HEAD", SIGNERS, 1),
        ("ada@example.co", True, "HEAD", SIGNERS, 1),
        ("*", True, "HEAD", SIGNERS, 1),
        ("", True, "HEAD", SIGNERS, 1),
        ("none", True, "HEAD", "", 1),
        ("ada@example.com", False, "HEAD", SIGNERS, 1),
        ("ada@example.com", True, "0" * 40, SIGNERS, 1),  # the tag has moved since the push
        ("ada@example.com", True, "HEAD", "", 1),
    ],
)
def test_a_release_needs_the_verified_signature_of_a_named_maintainer(
    clone: Path, email: str, target: str, signers: str, code: int, *, verified: bool
) -> None:
    workflow = YAML(typ="safe", pure=True).load(
        (ROOT / ".github/workflows/release.yml").read_text()
    )
    steps = workflow["jobs"]["build"]["steps"]
    (at,) = (n for n, step in enumerate(steps) if "SIGNERS" in step.get("env", {}))
    assert not any("run" in step for step in steps[:at])  # nothing of the commit runs before it
    head = git(clone, "rev-parse", "HEAD").strip()
    verification = {"verified": verified}
    found = {
        "repos/acme/taskctl/git/ref/tags/v9": {"object": {"sha": "a" * 40}},
        f"repos/acme/taskctl/git/tags/{'a' * 40}": {
            "tagger": {"email": email},
            "verification": verification,
            "object": {"sha": head if target == "HEAD" else target},
        },
    }
    (clone / "answers.json").write_text(json.dumps(found))
    (clone / "gh").write_text('#!/bin/sh\njq -e --arg p "$2" \'.[$p]\' answers.json | jq -r "$4"\n')
    (clone / "gh").chmod(0o755)
    env = {
        **git_environment(),
        "PATH": f"{clone}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "acme/taskctl",
        "SIGNERS": signers,
        "TAG": "v9",
    }
    ran = subprocess.run(["bash", "-e", "-c", steps[at]["run"]], cwd=clone, env=env, check=False)
    assert ran.returncode == code
