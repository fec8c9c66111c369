"""The site of docs/: it builds strictly, its reference is up to date, its examples work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reconciler import __version__
from reconciler.model.address import REPOSITORY
from tests.support.action_runner import metadata, quick_python
from tests.support.checkout import checkout, git
from tests.support.doc_blocks import ROOT, blocks, environment, shell
from tests.support.embedded_server import running_server
from tests.support.git_server import bare_repository
from tests.support.run_workflow import pipeline_of, with_inputs
from tests.support.token_exchange import ID_TOKEN, token_exchange
from tools.commands_page import commands_pages
from tools.manifest_page import manifest_page
from tools.reference import outdated

TOOLS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / "examples" / "ci").glob("github-*.yml"))


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [f"{TOOLS}/{command[0]}", *command[1:]],
        cwd=folder,
        env={**environment(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    built = run("zensical", "build", "--strict", folder=folder)
    assert built.returncode == 0, built.stderr
    return folder / "site"


def test_generated_pages_are_up_to_date() -> None:
    """`python -m tools.reference` updates them."""
    assert [path.name for path, _ in outdated()] == []


def test_every_property_has_an_example() -> None:
    page = manifest_page()
    page = page[page.index("\n## Manifest\n") :]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    for row in rows:
        name, value, default, what = (cell.strip() for cell in row.strip("|").split(" | "))
        assert name
        assert value
        assert default
        assert re.fullmatch(r".+ Example: `.+`", what), row


def test_every_command_has_examples() -> None:
    pages = commands_pages()
    for name in ("validate", "plan", "apply", "show", "serve"):
        assert "## Examples\n" in pages[f"{name}.md"], name
    for name in ("state list", "state assign"):
        _, _, part = pages["state.md"].partition(f"# taskctl {name}\n")
        assert "## Examples\n" in part.partition("# taskctl")[0], name
    assert "`TASKCTL_SETTLE_TIME`" in pages["plan.md"]
    assert "| 143 |" in pages["index.md"]


@pytest.mark.tools
def test_the_site_has_every_page_and_no_page_is_missing_from_its_menu(site: Path) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE)
    docs = ROOT / "docs"
    assert sorted(listed) == sorted(p.relative_to(docs).as_posix() for p in docs.rglob("*.md"))
    for page in listed:
        place = page.removesuffix(".md").removesuffix("index")
        assert (site / place / "index.html").is_file(), page


@pytest.mark.tools
def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="?(https?:[^" >]+)', page.read_text()
        )
        assert loaded == [], page


@pytest.mark.tools
def test_options_with_choices_are_shown_unescaped(site: Path) -> None:
    page = unescape((site / "reference" / "commands" / "index.html").read_text(encoding="utf-8"))
    assert "--color [auto|always|never]" in page


@pytest.mark.tools
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflows_are_valid_and_use_existing_inputs_of_the_action(path: Path) -> None:
    ended = run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path))
    assert ended.returncode == 0, ended.stdout
    loaded = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    steps = [step for job in loaded["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if "/taskctl@" in step.get("uses", "")]
    assert used
    for step in used:
        assert step["with"].keys() <= metadata()["inputs"].keys()
    if path.name == "github-apply.yml":
        assert loaded["concurrency"]["cancel-in-progress"] is False
    if path.name == "github-run.yml":  # GitHub would cancel an older run that is still pending
        assert not [job for job in [loaded, *loaded["jobs"].values()] if "concurrency" in job]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflows_have_minimal_permissions_and_pinned_actions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    loaded = YAML(typ="safe", pure=True).load(text)
    assert loaded["permissions"] == {}
    assert "env" not in loaded
    allowed = {
        "apply": {"contents"},
        "run": {"contents"},
        "plan": {"pull-requests"},
        "results": {"issues"},
    }
    for name, job in loaded["jobs"].items():
        writes = {scope for scope, right in job["permissions"].items() if right == "write"}
        has_token = "id-token" in writes
        assert has_token == (name not in ("validate", "due"))
        assert writes <= {"id-token"} | allowed.get(name, set())
        assert "env" not in job
        for step in job["steps"]:
            options = step.get("with", {})
            if step.get("uses", "").startswith("pulumi/auth-actions@"):
                assert has_token
                assert options["export-environment-variables"] is False
            if step.get("uses", "").startswith("actions/checkout@"):
                # Jobs that use the state need credentials for git; validate gets none.
                assert options["persist-credentials"] is (name != "validate")
            access = {**options, **step.get("env", {})}
            for variable in ("access-token", "PULUMI_ACCESS_TOKEN"):
                assert access.get(variable, TOKEN_OF_THE_RUN) == TOKEN_OF_THE_RUN
    assert set(re.findall(r"secrets\.(\w+)", text)) == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_job_with_the_token_of_the_machine_user_names_an_environment(path: Path) -> None:
    """Only the default branch may use those. The plan of a pull request, whose author can rewrite
    the job, has the token of another user."""
    found = {}
    for name, job in YAML(typ="safe", pure=True).load(path.read_text())["jobs"].items():
        scopes = [step["with"]["scope"] for step in job["steps"] if "scope" in step.get("with", {})]
        if scopes:
            found[name] = (scopes[0].removeprefix("user:acme-"), job.get("environment"))
    assert found == {
        "github-apply.yml": {
            "plan": ("taskctl", "taskctl-show"),
            "apply": ("taskctl", "taskctl-apply"),
            "failed": ("taskctl", "taskctl-show"),
        },
        "github-plan.yml": {"plan": ("taskctl-plan", None)},
        "github-results.yml": {"results": ("taskctl", "taskctl-show")},
        "github-run.yml": {"show": ("taskctl", "taskctl-show"), "run": ("taskctl", "taskctl-run")},
    }.get(path.name)
    subjects = set(re.findall(r"`(repo:.*?)`", (ROOT / "docs/github.md").read_text()))
    exact = {f"repo:OWNER/REPO:environment:{name}" for _, name in found.values() if name}
    assert exact < subjects
    assert len(subjects) == 4


def test_each_workflow_in_the_documents_that_uses_a_token_names_an_environment() -> None:
    for page in sorted(ROOT.glob("docs/*.md")):
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.M):
            if re.search(r"access-token:|secrets\.PULUMI", block):
                jobs = YAML(typ="safe", pure=True).load(block)["jobs"].values()
                assert all("environment" in job for job in jobs), page


@pytest.mark.parametrize("name", ["apply", "plan", "run"])
def test_the_examples_are_the_workflows_that_init_writes(name: str) -> None:
    example = ROOT / "examples" / "ci" / f"github-{name}.yml"
    assert not example.is_symlink()  # people copy it
    template = ROOT / "reconciler" / "templates" / example.name
    assert example.read_bytes() == template.read_bytes()


def test_all_workflows_pin_the_same_commit_of_each_action() -> None:
    """Our own, the examples and those in the documents, each with the version as a comment."""
    places = [*ROOT.glob(".github/workflows/*.yml"), *WORKFLOWS, *ROOT.glob("docs/*.md")]
    found: dict[str, set[str]] = {}
    for path in places:
        for line in re.findall(r"uses: ([\w.-]+/.*)", path.read_text(encoding="utf-8")):
            pinned = PINNED.fullmatch(line)
            assert pinned, f"{path.name}: {line}"
            found.setdefault(pinned[1], set()).add(f"{pinned[2]} v{pinned[3]}")
    assert {name: pins for name, pins in found.items() if len(pins) > 1} == {}
    assert found[REPOSITORY] == {f"COMMIT v{__version__}"}


def test_documents_name_the_tag_of_this_version_beside_every_commit() -> None:
    """A document cannot name the commit that it is part of: `make release` writes that into the
    notes of the release."""
    places = [ROOT / "README.md", *(ROOT / "examples" / "ci").iterdir(), *ROOT.glob("docs/*.md")]
    for path in places:
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"(@|: |taskctl )COMMIT\b", line):
                assert re.search(rf"COMMIT # v{re.escape(__version__)}\b", line), line
            for version in re.findall(r"\bv(\d+\.\d+\.\d+)\^", line):
                assert version == __version__, line


@pytest.mark.tools
def test_gitlab_installs_pinned_versions_and_runs_no_code_of_the_repository(tmp_path: Path) -> None:
    """test_action_steps.py runs the same installation with pip."""
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    source, target, traps = tmp_path / "source", tmp_path / "opt", tmp_path / "traps"
    for folder in (source, traps, tmp_path / "work"):
        folder.mkdir()
    checkout(source)
    for name in ("venv", "pip", "json", "hatchling", "sitecustomize"):
        trap = f"open({str(traps / name)!r}, 'w').close()\n"
        (tmp_path / "work" / f"{name}.py").write_text(trap)
    commit = git(source, "rev-parse", "HEAD").strip()
    jobs = pipeline_of(text.replace("/opt/taskctl", str(target)))
    script = "\n".join(jobs[".taskctl"]["before_script"]).replace("/usr/local", f"{tmp_path}/usr")
    env = environment(tmp_path, TASKCTL_REPOSITORY=str(source), TASKCTL_COMMIT=commit)
    (tmp_path / "usr").mkdir()
    quick_python(tmp_path / "usr" / "bin")
    env.pop("PYTHON", None)  # set by `make PYTHON=...`, and preferred to PATH
    ended = shell(script, tmp_path / "work", env)
    assert ended.returncode == 0, ended.stderr
    (log,) = tmp_path.rglob("python.log")
    pinned, project = (line.split() for line in log.read_text().splitlines())
    assert pinned[-3:] == ["--require-hashes", "--requirement", f"{target}/requirements.txt"]
    assert {"--no-index", "--no-deps"} < set(project)
    assert list(traps.iterdir()) == []
    found = shell(f"{tmp_path}/usr/bin/taskctl --version", tmp_path / "work", env)
    assert found.stdout.startswith("taskctl ")
    for name in jobs["stages"]:
        assert ("environment" in jobs[name]) == (name != "validate")


def test_no_page_installs_taskctl_from_a_package_index() -> None:
    """taskctl is not published: anyone could register the name."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").split()
    installs = r"\b(?:pipx?|uv)\b[^\n`]*\b(?:install|run|add|--with|--from)\b[^\n`]*"
    by_name = re.compile(
        rf"{installs}[ \"']taskctl(?!\[\w+\] @ git\+)(?:[\[=<>~ \"'`]|$)|\buvx taskctl", re.M
    )
    kinds = {".md", ".yml", ".yaml", ".toml", ".sh", ".txt", ""}
    for path in (ROOT / name for name in listed):
        shipped = path.suffix in kinds and path.is_file() and ROOT / "tests" not in path.parents
        assert not (shipped and by_name.search(path.read_text(encoding="utf-8"))), path


@pytest.mark.tools
def test_the_other_ci_files_are_valid(tmp_path: Path) -> None:
    header, pipeline = tmp_path / "header.yml", tmp_path / "pipeline.yml"
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    header.write_text(text.partition("\n---\n")[0])
    pipeline.write_text(with_inputs(text))
    gitlab = ["--data-transform", "gitlab-ci"]
    for schema, path, more in (
        ("vendor.github-actions", "action.yml", []),
        ("vendor.gitlab-ci", str(header), gitlab),
        ("vendor.gitlab-ci", str(pipeline), gitlab),
        ("vendor.gitlab-ci", "examples/ci/gitlab-organizations.yml", gitlab),
    ):
        ended = run("check-jsonschema", "--builtin-schema", schema, *more, path)
        assert ended.returncode == 0, ended.stdout


@pytest.mark.tools
def test_the_gitlab_jobs_run(tmp_path: Path) -> None:
    """The scripts of all jobs in order, each in a new clone."""
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    jobs = pipeline_of(text.replace("/opt/taskctl", str(ROOT)))
    extended = {"validate": ".taskctl", "show": ".requested", "run": ".requested"}
    for name in jobs["stages"]:
        assert jobs[name]["extends"] == extended.get(name, ".token")
    assert jobs[".token"]["id_tokens"]["PULUMI_ID_TOKEN"] == {"aud": "urn:pulumi:org:acme"}
    with token_exchange(tmp_path / "cloud.db") as (url, _):
        env = environment(tmp_path, PULUMI_BACKEND_URL=url, PULUMI_ID_TOKEN=ID_TOKEN)
        clone = cloned(tmp_path, MANIFEST)
        shell("taskctl state init", clone, {**env, "PULUMI_ACCESS_TOKEN": "any"})
        kept: dict[str, bytes] = {}
        said = {}
        for name in (name for name in jobs["stages"] if name not in ("show", "run")):
            if name == "apply":
                clone = cloned(tmp_path, MANIFEST)
                for path, data in kept.items():
                    (clone / path).write_bytes(data)
            ended = shell("\n".join(jobs[name]["script"]), clone, env)
            assert ended.returncode == 0, ended.stderr
            said[name] = ended.stdout
            for path in jobs[name].get("artifacts", {}).get("paths", []):
                kept[path] = (clone / path).read_bytes()
    assert "1 created" in said["apply"]
    assert said["results"].startswith("KEY ")
    assert '<testcase name="' in (clone / "taskctl.xml").read_text()
    assert sorted(kept) == ["plan.html", "plan.taskctl"]
    assert not list(clone.glob("taskctl.state*"))


def cloned(folder: Path, manifest: str) -> Path:
    """A new clone of the same repository, with a manifest."""
    if not (folder / "team.git").exists():
        bare_repository(folder, "team")
    clone = folder / f"clone-{len(list(folder.glob('clone-*')))}"
    git(folder, "clone", "--quiet", "team.git", clone.name)
    for folder in (clone, clone / "infra"):
        (folder / "tasks").mkdir(parents=True)
        (folder / "tasks/a.yaml").write_text(manifest)
        (folder / "taskctl.toml").write_text('state = "git:origin"\n')
    return clone


@pytest.mark.tools
def test_the_plain_shell_pipeline_applies_and_has_no_changes_the_next_day(tmp_path: Path) -> None:
    script = ROOT / "examples" / "ci" / "plain.sh"
    with running_server(tmp_path / "cloud.db") as url:
        env = environment(tmp_path, PULUMI_BACKEND_URL=url, PULUMI_ACCESS_TOKEN="pul-ci")
        shell("taskctl -C infra state init", cloned(tmp_path, MANIFEST), env)
        for said in ("1 created", "0 created"):
            clone = cloned(tmp_path, MANIFEST)
            ended = shell(f"{script} infra", clone, env)
            assert ended.returncode == 0, ended.stderr
            assert f"Apply: {said}" in ended.stdout
            assert not list(clone.rglob("taskctl.state*"))
    ended = shell(f"{script} infra", clone, environment(tmp_path))
    assert (ended.returncode, "PULUMI_ACCESS_TOKEN" in ended.stderr) != (0, False)


def test_the_recommended_hooks_exist() -> None:
    (config,) = [b.text for b in blocks("docs/ci.md") if b.text.startswith("# .pre-commit")]
    offered = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    yaml = YAML(typ="safe", pure=True)
    known = {hook["id"] for hook in yaml.load(offered)}
    assert {hook["id"] for hook in yaml.load(config)["repos"][0]["hooks"]} == known


PINNED = re.compile(r"([\w./-]+)@([0-9a-f]{40}|COMMIT) # v(\d+\.\d+\.\d+)\b.*")
TOKEN_OF_THE_RUN = "${{ steps.pulumi.outputs.pulumi-access-token }}"
MANIFEST = "version: 1\norgName: acme\ntasks:\n  a:\n    message: Do it.\n"


def test_home_page_and_menu_list_the_same_pages_in_the_same_order() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    in_menu = [p for p in re.findall(r": ([\w/-]+\.md)$", menu, re.MULTILINE) if p != "index.md"]
    groups = [p for p in in_menu if not p.startswith("reference/commands/") or "index" in p]
    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").partition("- **Start here")[2]
    assert re.findall(r"\]\(([\w/-]+\.md)\)", home) == groups
    assert "](docs/index.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_help_has_the_address_of_the_documentation_once_there_is_one(tmp_path: Path) -> None:
    """As long as the repository has only a placeholder, there is none to show."""
    for name in ("reconciler", "tools", "schemas", "docs", "examples"):
        ignored = shutil.ignore_patterns("__pycache__", "images")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("README.md", "SECURITY.md", "pyproject.toml", "tests/tools.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    links, terms = {}, {}
    for repository in (REPOSITORY, "acme-tools/taskctl"):
        project = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
        project = project.replace(f"github.com/{REPOSITORY}", f"github.com/{repository}")
        (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
        _python(tmp_path, FILL_IN)
        for words in ("--help", "plan --help", "state list --help", "doctor --backend local"):
            said = _python(tmp_path, f"from reconciler.cli.main import run; run({words.split()})")
            terms[repository, words] = re.findall(r"^Terms: (.*)$", said, re.MULTILINE)
            if "--help" in words:
                links[repository, words] = re.findall(r"^Documentation: (.*)$", said, re.MULTILINE)
    pages = "https://github.com/acme-tools/taskctl/blob/main/docs"
    assert links == {
        **{(REPOSITORY, words): [] for words in ("--help", "plan --help", "state list --help")},
        ("acme-tools/taskctl", "--help"): [f"{pages}/index.md"],
        ("acme-tools/taskctl", "plan --help"): [f"{pages}/reference/commands/plan.md"],
        ("acme-tools/taskctl", "state list --help"): [f"{pages}/reference/commands/state.md"],
    }
    for (repository, words), found in terms.items():
        assert found == [f"{pages}/glossary.md"] * (repository != REPOSITORY), words
    example = tmp_path / "examples" / "ci" / "github-plan.yml"
    assert "acme-tools/taskctl@COMMIT" in example.read_text(encoding="utf-8")
    assert (ROOT / "docs" / "index.md").exists()


FILL_IN = """
from tools.address import mentioning, with_address
for path in mentioning():
    path.write_text(with_address(path.read_text(encoding="utf-8")), encoding="utf-8")
"""
"""What `python -m tools.reference` does about the address."""


def _python(folder: Path, script: str) -> str:
    """The output of a script that imports the copy in a directory."""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout
