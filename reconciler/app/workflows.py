"""The workflows that `init` writes: what is known of their organization, their machine user, and of
the commit that taskctl was installed from replaces the placeholders."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import urlsplit

from reconciler.model.address import REPOSITORY
from reconciler.model.value import Value

_ACTION = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEADER = re.compile(r"# Replace your-org/.*?\n(?=# (?!acme )|name:)", re.DOTALL)


class Placeholders(Value, frozen=True):
    """The values of placeholders; None: not known."""

    org: str | None = None
    machine_user: str | None = None
    repository: str | None = None
    commit: str | None = None
    minute: int = 23

    @classmethod
    def known(cls, org: str | None, machine_user: str | None, project: str) -> Placeholders:
        """With the commit that this taskctl was installed from, if it was one. The minute at which
        the schedule of a `project` starts follows from its name: projects do not start together."""
        repository, commit = _installed()
        minute = 1 + int.from_bytes(sha256(project.encode()).digest()[:4]) % 59
        return cls(org, machine_user, repository, commit, minute)

    @property
    def left(self) -> list[str]:
        """The placeholders that a person has to replace, and what with."""
        known = (
            (self.repository, "`your-org/taskctl` with the repository that holds taskctl"),
            (self.commit, "`COMMIT` with the commit of taskctl's tag"),
            (self.org, "`acme` with your organization"),
            (self.machine_user, "`acme-taskctl` with its machine user"),
        )
        return [text for value, text in known if value is None]


def filled(text: str, values: Placeholders) -> str:
    """A workflow with these values. Its header names the placeholders that are left."""
    left = values.left
    header = "".join(f"# Replace {name}.\n" for name in left).replace("`", "")
    text = _HEADER.sub(lambda _: header, text, count=1)
    text = text.replace('cron: "23 ', f'cron: "{values.minute} ')
    if values.org is not None:
        text = text.replace("organization: acme\n", f"organization: {values.org}\n")
    if values.machine_user is not None:  # that of plans has the same name with -plan
        text = text.replace("user:acme-taskctl", f"user:{values.machine_user}")
    if values.repository is not None:
        text = text.replace(f"uses: {REPOSITORY}@", f"uses: {values.repository}@")
    return text if values.commit is None else text.replace("@COMMIT #", f"@{values.commit} #")


def _installed() -> tuple[str | None, str | None]:
    """The repository on GitHub and the commit, of an installation from git."""
    repository = None if REPOSITORY.startswith("your-org/") else REPOSITORY
    try:
        about = json.loads(distribution("taskctl").read_text("direct_url.json") or "{}")
        path = urlsplit(about["url"]).path.strip("/").removesuffix(".git")
        commit = about["vcs_info"]["commit_id"]
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return repository, None
    is_valid = _ACTION.fullmatch(path) and _COMMIT.fullmatch(commit)
    return (path, commit) if is_valid else (repository, None)
