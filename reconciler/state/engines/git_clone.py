"""The user's clone, for a state in a git remote: the address of its pushes, and git's errors."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Unpack

from reconciler.state.engines import Cause, Denied, Unsure
from reconciler.system.git import TIMEOUT, Running, run_git

DEFAULT_NAME = "default"
"""The name of the state in the root of a repository."""

_MAX_NAME = 200
_MAX_LINE = 2_000
"""Characters of a line of git's output: a host may send anything."""

_OPTIONS = ("-c", "gc.auto=0", "-c", "core.bigFileThreshold=8m")
"""Git would compare large blobs with each other, which takes minutes and a gigabyte of memory."""

_REFUSALS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r"(?:Authentication failed|could not read (?:User|Pass))"), "credentials"),
    (re.compile(r"(?:Permission denied|Host key verification failed)"), "credentials"),
    (re.compile(r"(?:returned error: 403|[Pp]ermission to .* denied)"), "permission"),
    (re.compile(r"(?:[Rr]epository .*not found|not appear to be a git repos)"), "container"),
    (re.compile(r"(?:not a git repository|cannot use bare repository)"), "clone"),
    (
        re.compile(
            r"(?:dubious ownership|bad (?:numeric )?config|unknown option"
            r"|is not a git command|[Uu]nable to find remote helper|receiving end does not support"
            r"|can't be combined|matches more than one)"
        ),
        "repository",
    ),
)
"""Git's messages, in the C locale, for permanent failures. The last messages come from git itself,
before anything is sent."""


class Clone(NamedTuple):
    """The clone that contains `folder`: its objects, the algorithm of their IDs, and the `depth` of
    `folder` in it: the number of directories below the root."""

    folder: Path
    objects: Path
    hash: str
    depth: int

    @classmethod
    def around(cls, folder: Path, env: Mapping[str, str]) -> Clone:
        asked = ("--git-path", "objects", "--show-object-format", "--show-cdup")
        done = run_in(folder, "rev-parse", *asked, env=env)
        if done.returncode:
            raise git_fault(done.stderr)
        objects, algorithm, up = os.fsdecode(done.stdout).removesuffix("\n").rsplit("\n", 2)
        return cls(folder, (folder / objects).resolve(), algorithm, up.count("/"))

    @property
    def state_name(self) -> str:
        """The default name of the folder's state. It depends on the directory, so that two
        directories of a clone do not share a state by accident. Raises Denied."""
        if not self.depth:
            return DEFAULT_NAME
        path = os.fsencode("/".join(self.folder.parts[-self.depth :]))
        escaped = re.sub(rb"[^A-Za-z0-9_-]", lambda sign: b"%%%02X" % sign[0][0], path)
        name = f"at-{escaped.decode()}"
        if len(name) > _MAX_NAME:
            raise Denied("the path of this directory is too long for a name; add #NAME", "address")
        return name

    def url(self, remote: str, env: Mapping[str, str]) -> str:
        """The URL of a remote for pushes, as configured. Raises Denied if there is none."""
        words = ("config", "-z", "--get-regexp", r"^remote\..*\.(url|pushurl)$")
        listed = os.fsdecode(run_in(self.folder, *words, env=env).stdout)
        remotes: dict[str, dict[str, list[str]]] = {}
        for entry in filter(None, listed.split("\0")):
            key, _, url = entry.partition("\n")
            name, _, kind = key.removeprefix("remote.").rpartition(".")
            remotes.setdefault(name, {}).setdefault(kind, []).append(url)
        if remote not in remotes:
            others = f" (remotes: {', '.join(remotes)})" if remotes else ", which has none"
            raise Denied(f"{remote} is not a remote of this clone{others}", "remote")
        urls = remotes[remote].get("pushurl") or remotes[remote]["url"]
        if len(urls) > 1:
            raise Denied(f"{remote} has several URLs for pushes", "address")
        return urls[0]


def run_in(
    folder: Path,
    *words: str,
    env: Mapping[str, str],
    own: Mapping[str, str] | None = None,
    **how: Unpack[Running],
) -> subprocess.CompletedProcess[bytes]:
    """Runs git as `run_git` does. Raises Denied if git is not installed, and Unsure if git does not
    end or prints too much."""
    try:
        return run_git(folder, *_OPTIONS, *words, env=env, own=own, **how)
    except FileNotFoundError as problem:
        raise Denied("git", "extra") from problem
    except subprocess.TimeoutExpired as problem:
        raise Unsure(f"git did not end within {TIMEOUT:.0f} s") from problem
    except OSError as problem:
        raise Unsure(problem.strerror or str(problem)) from problem


def git_fault(output: bytes) -> Unsure | Denied:
    """A failed command's error, from its output: the exit code is always 128."""
    lines = [line.strip()[:_MAX_LINE] for line in output.decode(errors="replace").splitlines()]
    for words, cause in _REFUSALS:
        if found := next(filter(words.search, lines), None):
            return Denied(found, cause)
    # The reason is the first line that is not a warning; advice follows it.
    reasons = (line for line in lines if line and not line.lower().startswith("warning:"))
    return Unsure(next(reasons, "")[:200])
