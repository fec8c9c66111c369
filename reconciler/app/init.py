"""`init`: a starter manifest and the files around it. Only taskctl's own copy of the schema is
overwritten."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.app.configuration import NAME, find_config, places_of
from reconciler.app.context import Context
from reconciler.app.files import PUBLIC, write_file
from reconciler.manifest.discovery import Finder
from reconciler.manifest.repository import repository_root, resolved
from reconciler.model import limits
from reconciler.model.address import REPOSITORY
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.value import Value
from reconciler.system import disk
from reconciler.system.git import run_git
from reconciler.system.resources import schema_text, template_text

HOOK = ".pre-commit-config.yaml"
GITIGNORE = ".gitignore"
SCHEMA = "taskctl.schema.json"
EXAMPLE = "tasks/example.yaml"
RUN = "taskctl-run.yml"
WORKFLOWS = {
    ".github/workflows/taskctl-plan.yml": "github-plan.yml",
    ".github/workflows/taskctl-apply.yml": "github-apply.yml",
    f".github/workflows/{RUN}": "github-run.yml",
}
_SHARED = f"""\
# Create this state once: taskctl state init
state = "git:origin"
max-creates = 50
run-workflow = "{RUN}"
"""


class InitOptions(Value, frozen=True):
    """The files to write in addition to a manifest, `.gitignore` and the configuration. `org` and
    `machine_user` replace placeholders, if known."""

    hook: bool = False
    workflow: bool = False
    org: str | None = None
    machine_user: str | None = None

    @property
    def shared(self) -> str:
        """The configuration of a state that workflows share with everyone else."""
        if not self.workflow:
            return ""
        user = self.machine_user  # without apply-as, an apply on a laptop starts agents of its user
        return _SHARED + (f'apply-as = "login:{user}"\n' if user is not None else "")


@dataclass
class InitReport:
    """File names as the user would write them: `written`, `kept`, and `shown` with their text. Of
    the kept files, `current` are as `init` would write them.
    `folder` is the directory, empty for the current one; `tasks`: its manifests, if the
    configuration of a directory above it applies; `placeholders`: the remaining placeholders in
    workflows."""

    folder: str = ""
    tasks: str = ""
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    placeholders: list[str] = field(default_factory=list)


def init(ctx: Context, folder: str = ".", options: InitOptions | None = None) -> InitReport:
    """Writes a manifest and its schema if there are none, `.gitignore`, the configuration if none
    applies, and the selected files. The report has the text of files that already exist. Raises
    TaskctlError."""
    options = options or InitOptions()
    starter = _Starter(ctx, folder, options)
    starter.separate()
    starter.write_manifest(options.org)
    starter.update_schema()
    starter.add_gitignore()
    starter.write_config()
    starter.create_or_show(HOOK, template_text("pre-commit-config.yaml"), write=options.hook)
    path = ctx.settings.path(folder)
    if options.workflow:
        starter.create_workflows(
            Placeholders.known(options.org, options.machine_user, _branch(path))
        )
    top = repository_root(path)
    if top is not None and top != path.resolve():
        below = path.resolve().relative_to(top).as_posix()
        ctx.ui.note("below_root", top=str(top), below=below)
    return starter.report


class _Starter:
    def __init__(self, ctx: Context, folder: str, options: InitOptions) -> None:
        self._ctx = ctx
        self._shared = options.shared
        self._folder = ctx.settings.path(folder)
        # Relative to the directory of -C, as a PATH is.
        self._typed = "" if folder in (".", "./") else folder.rstrip("/") + "/"
        where = os.path.normpath(self._folder)
        self.report = InitReport("" if where == "." else where)
        self._prefix = f"{self.report.folder}/" if self.report.folder else ""

    @property
    def _config(self) -> str:
        """The text of a new configuration; its last line is about a state that is not shared."""
        lines = template_text(NAME).splitlines(keepends=True)
        return "".join(lines[:-1]) + self._shared if self._shared else "".join(lines)

    def separate(self) -> None:
        """Creates the configuration first if the files above belong to another user, so that they
        are not read."""
        try:
            find_config(self._folder)
        except TaskctlError as problem:
            if problem.diagnostics[0].code is not Code.UNTRUSTED_OWNER:
                raise
            disk.make_folder(self._folder)
            descriptor = disk.create(self._folder / NAME, PUBLIC)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._config.encode())
            self.report.written.append(self._prefix + NAME)

    def write_manifest(self, org: str | None) -> None:
        """Creates an example, unless manifests exist: it would add a task to them."""
        finder = Finder(self._folder)
        if self._folder.is_dir():
            finder.find(())
        if finder.files:
            self.report.kept += [self._prefix + name for name in sorted(finder.files)]
            if org is not None:
                self._show_organization(finder.files, org)
            return
        text = template_text("example.yaml")
        if org is not None:
            text = text.replace("# orgName: my-org", f"orgName: {org}")
        self._create(EXAMPLE, text)
        self._create(SCHEMA, schema_text("manifest"))

    def _show_organization(self, manifests: Mapping[str, Path], org: str) -> None:
        """Shows the organization to add, for the first manifest that sets none."""
        for name, path in sorted(manifests.items()):
            if not _ORG_NAME.search(disk.read_start(path, limits.MANIFEST_BYTES)):
                self.report.shown.append((self._prefix + name, f"orgName: {org}\n"))
                return

    def update_schema(self) -> None:
        """Updates the copy that an earlier version of taskctl wrote."""
        path = self._folder / SCHEMA
        text = schema_text("manifest")
        if path.is_file() and _read(path) != text.encode():
            self._write(SCHEMA, text.encode())

    def add_gitignore(self) -> None:
        path, text = self._folder / GITIGNORE, template_text("gitignore")
        before = _read(path)
        known = before.decode("utf-8", "replace").splitlines()
        missing = [line for line in text.splitlines() if line not in known]
        if not [line for line in missing if not line.startswith("#")]:
            self.report.kept.append(self._prefix + GITIGNORE)
        elif not path.exists():
            self._create(GITIGNORE, text)
        else:
            newline = "" if not before or before.endswith(b"\n") else "\n"
            text = newline + "".join(f"{line}\n" for line in missing)
            self._write(GITIGNORE, before + text.encode())

    def write_config(self) -> None:
        """A configuration, unless one already applies to the directory; then the settings for a
        shared state."""
        if self._prefix + NAME in self.report.written:
            return
        config = find_config(self._folder)
        if config.file is None:
            self._create(NAME, self._config)
            return
        if self._shared and _read(self._folder / NAME) == template_text(NAME).encode():
            self._write(NAME, self._config.encode())  # it is as an earlier `init` wrote it
            return
        name = os.path.relpath(config.file)
        self.report.kept.append(name)
        if not config.file.parent.samefile(self._folder):
            self.report.tasks = self._typed + "tasks"
        if config.places().isdisjoint(places_of(resolved(self._folder / EXAMPLE))):
            tasks = os.path.relpath(resolved(self._folder / "tasks"), resolved(config.file.parent))
            self._ctx.ui.note("not_read", config=name, folder=tasks)
        lines = [
            f"{line}\n"
            for line in self._shared.splitlines()
            if "=" in line and line.partition(" =")[0].replace("-", "_") not in config.values
        ]
        if lines:
            self.report.shown.append((name, "".join(lines)))

    def create_workflows(self, values: Placeholders) -> None:
        shown = len(self.report.shown)
        for name, template in WORKFLOWS.items():
            self.create_or_show(name, filled(template_text(template), values), write=True)
        del self.report.shown[shown + 1 :]  # the first existing workflow is enough
        self.report.placeholders += values.left

    def create_or_show(self, name: str, text: str, *, write: bool) -> None:
        """Creates a file, or shows the text to copy if it exists."""
        if not write or self._create(name, text):
            return
        if _read(self._folder / name) == text.encode():
            self.report.current.append(self._prefix + name)
        else:
            self.report.shown.append((name, text))

    def _create(self, name: str, text: str) -> bool:
        """Creates a file; False if it exists."""
        if os.path.lexists(self._folder / name):
            self.report.kept.append(self._prefix + name)
            return False
        self._write(name, text.encode())
        return True

    def _write(self, name: str, data: bytes) -> None:
        write_file(self._ctx.settings.folder, self._typed + name, data, "init", mode=PUBLIC)
        self.report.written.append(self._prefix + name)


def _branch(path: Path) -> str:
    """The default branch of the remote, else `main`."""
    with suppress(OSError):
        words = ("symbolic-ref", "--short", "refs/remotes/origin/HEAD")
        done = run_git(repository_root(path) or path, *words, env=os.environ)
        found = os.fsdecode(done.stdout).strip().removeprefix("origin/")
        if _BRANCH.fullmatch(found):
            return found
    return "main"


def _read(path: Path) -> bytes:
    """The file, empty if it does not exist. Raises OSError if it is too large."""
    found = disk.read_file(path, most=limits.CONFIG_BYTES, follow=True) if path.is_file() else None
    return found or b""


_ORG_NAME = re.compile(rb"^[ \t]*+[\"']?orgName\b", re.MULTILINE)
_ACTION = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z][\w./-]{0,200}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEADER = re.compile(r"# Replace your-org/.*?\n(?=# (?!acme )|name:)", re.DOTALL)


class Placeholders(Value, frozen=True):
    """The values that replace the placeholders of workflows; None: not known."""

    org: str | None = None
    machine_user: str | None = None
    repository: str | None = None
    commit: str | None = None
    branch: str = "main"

    @classmethod
    def known(cls, org: str | None, machine_user: str | None, branch: str) -> Placeholders:
        """The values, with the commit from which taskctl was installed, if known."""
        repository, commit = _installed()
        return cls(org, machine_user, repository, commit, branch)

    @property
    def left(self) -> list[str]:
        """The placeholders that a person has to replace, and their values."""
        known = (
            (self.repository, "`your-org/taskctl` with the repository that holds taskctl"),
            (self.commit, "`COMMIT` with the commit of taskctl's tag"),
            (self.org, "`acme` with your organization"),
            (self.machine_user, "`acme-taskctl` with its machine user"),
        )
        return [text for value, text in known if value is None]


def filled(text: str, values: Placeholders) -> str:
    """A workflow with these values. Its header lists the remaining placeholders."""
    left = values.left
    header = "".join(f"# Replace {name}.\n" for name in left).replace("`", "")
    text = _HEADER.sub(lambda _: header, text, count=1)
    text = text.replace("branches: [main]", f"branches: [{values.branch}]")
    text = text.replace("ref: main\n", f"ref: {values.branch}\n")
    if values.org is not None:
        text = text.replace("organization: acme\n", f"organization: {values.org}\n")
    if values.machine_user is not None:  # the user for plans has the suffix -plan
        text = text.replace("user:acme-taskctl", f"user:{values.machine_user}")
    if values.repository is not None:
        text = text.replace(f"uses: {REPOSITORY}@", f"uses: {values.repository}@")
    return text if values.commit is None else text.replace("@COMMIT #", f"@{values.commit} #")


def _installed() -> tuple[str | None, str | None]:
    """The GitHub repository and the commit from which taskctl was installed, if it was installed
    from git."""
    repository = None if REPOSITORY.startswith("your-org/") else REPOSITORY
    try:
        about = json.loads(distribution("taskctl").read_text("direct_url.json") or "{}")
        path = urlsplit(about["url"]).path.strip("/").removesuffix(".git")
        commit = about["vcs_info"]["commit_id"]
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return repository, None
    is_valid = _ACTION.fullmatch(path) and _COMMIT.fullmatch(commit)
    return (path, commit) if is_valid else (repository, None)
