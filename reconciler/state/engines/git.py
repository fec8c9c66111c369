"""A state as a ref in a git remote: a commit without parents, replaced by a push with a lease.

The commit's tree contains the head and the blobs that it names, so a swap makes both durable at
once. Objects are stored outside the user's repository, of which only the remotes and credentials
are used.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.state.engines import Cause, Denied, Missing, Moved, Pace, Unsure, Version

GIT = ("git", "-c", "safe.bareRepository=explicit")
"""Git treats any directory with HEAD, objects, refs and config as a repository, and its
configuration can name programs to run; anyone can commit such a directory."""

TIMEOUT = 120.0
"""Seconds for one git command that talks to the remote."""

_LOOKUPS = 5
"""Lookups of the ref per read: a busy holder replaces it several times per second."""

DEFAULT_REF = "refs/taskctl/state/default"
_NAMES = "refs/taskctl/state/"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?![./]|lock(?:/|$)|$))*")
_REF = re.compile(rf"refs(?:/{_NAME.pattern})+")
_WHO = {"NAME": "taskctl", "EMAIL": "taskctl@localhost", "DATE": "1970-01-01T00:00:00Z"}
"""The author of commits: CI runners have none, and equal content must give the same commit."""

_REJECTED = re.compile(r"^!\t[^\t]*\t\[(?P<who>remote )?rejected\](?: \((?P<why>[^)]*)\))?", re.M)
"""How `git push --porcelain` reports a ref that was not updated."""

_HOOK = re.compile(r"^remote: *(?:error: *)?([^ ].{0,200})", re.M)
"""Output of a hook of the host."""

_RULE = re.compile(r"declined|hidden ref|prohibited|protected|denied", re.IGNORECASE)
"""A host's reasons to reject all updates of a ref; anything else may be a concurrent writer."""

_REFUSALS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r".*(?:Authentication failed|could not read (?:User|Pass)).*"), "credentials"),
    (re.compile(r".*(?:Permission denied).*"), "credentials"),
    (re.compile(r".*(?:returned error: 403|[Pp]ermission to .* denied).*"), "permission"),
    (re.compile(r".*(?:[Rr]epository .*not found|not appear to be a git repos).*"), "container"),
)
"""Git's messages, in the C locale, for permanent failures."""


class GitEngine:
    """The Engine of one ref of one remote, used from inside the clone `folder`."""

    deletes_with_swap = True

    def __init__(self, folder: Path, remote: str, ref: str, env: Mapping[str, str]) -> None:
        self._folder, self._remote, self._ref = folder, remote, ref
        self.shown = f"git:{remote}{_suffix(ref)}"
        self.pace = Pace(heartbeat=30.0, takeover=120.0)
        self._objects = tempfile.TemporaryDirectory(prefix="taskctl-git-")
        self._tree: dict[str, str] = {}
        self._new: dict[str, str] = {}
        self._deleted: set[str] = set()
        who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in _WHO.items()}
        self._environment = {**env, **who, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        shared = self._git("rev-parse", "--git-path", "objects").decode().strip()
        self._environment |= {
            "GIT_OBJECT_DIRECTORY": self._objects.name,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((folder / shared).resolve()),
        }

    def read(self) -> tuple[bytes, Version] | None:
        """Looks the ref up again if its commit was replaced before it could be fetched."""
        for _ in range(_LOOKUPS):
            listed = self._git("ls-remote", "--exit-code", self._remote, self._ref, expected=(0, 2))
            commit = listed.split(b"\t")[0].decode()
            if not commit:
                return None
            if self._has(commit) or self._fetch(commit):
                return self._head_of(commit)
        raise Unsure(f"{self._ref} was replaced while it was read")

    def _has(self, commit: str) -> bool:
        return self._git("cat-file", "-t", commit, expected=(0, 1, 128), quiet=True) == b"commit\n"

    def _head_of(self, commit: str) -> tuple[bytes, Version]:
        entries = self._entries(commit)
        if "head" not in entries:
            raise Denied("the ref holds something else", "address")
        self._tree = {n: i for n, i in entries.items() if n != "head"}
        return self._git("cat-file", "blob", entries["head"]), Version(commit)

    def swap(self, data: bytes, over: Version | None) -> Version:
        kept = {n: i for n, i in self._tree.items() if n not in self._deleted}
        tree = {**kept, **self._new, "head": self._blob(data)}
        listing = "".join(f"100644 blob {i}\t{name}\0" for name, i in sorted(tree.items()))
        root = self._git("mktree", "-z", given=listing.encode()).decode().strip()
        commit = self._git("commit-tree", "-m", "taskctl state", root).decode().strip()
        lease = f"--force-with-lease={self._ref}:{over or ''}"
        self._push(lease, f"{commit}:{self._ref}")
        self._tree = {name: i for name, i in tree.items() if name != "head"}
        self._new, self._deleted = {}, set()
        return Version(commit)

    def put_blob(self, name: str, data: bytes) -> None:
        """Sent with the next swap, which is the first that can name it."""
        self._new[name] = self._blob(data)
        self._deleted.discard(name)

    def get_blob(self, name: str) -> bytes:
        object_id = self._new.get(name) or self._tree.get(name)
        if object_id is None:
            raise Missing(name)
        return self._git("cat-file", "blob", object_id)

    def delete_blobs(self, names: Sequence[str]) -> None:
        """Takes effect with the next swap."""
        self._deleted.update(names)
        self._new = {n: i for n, i in self._new.items() if n not in self._deleted}

    def close(self) -> None:
        self._objects.cleanup()

    def prepare(self) -> None:
        """A ref needs no preparation."""

    def probe(self) -> None:
        """Git itself checks a lease on the server, in one transaction."""

    def try_write(self) -> None:
        scratch = f"{self._ref}-write-test-{secrets.token_hex(8)}"
        root = self._git("mktree", "-z").decode().strip()
        commit = self._git("commit-tree", "-m", "taskctl write test", root).decode().strip()
        self._push(f"--force-with-lease={scratch}:", f"{commit}:{scratch}")
        self._push(f"--force-with-lease={scratch}:{commit}", f":{scratch}")

    def _push(self, lease: str, refspec: str) -> None:
        words = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--atomic", lease)
        done = self._run(*words, self._remote, refspec)
        if done.returncode == 0:
            return
        rejected = _REJECTED.search(done.stdout.decode(errors="replace"))
        if rejected is None:
            raise _fault(done.stderr)
        why = rejected["why"] or ""
        if rejected["who"]:
            more = _HOOK.search(done.stderr.decode(errors="replace"))
            reason = f"{why}: {more[1]}" if more else why
            raise Denied(reason, "rejected") if _RULE.search(why) else Unsure(reason)
        raise Moved("the head was replaced")

    def _fetch(self, commit: str) -> bool:
        """Fetches the commit, and returns whether it is available. By ID, which saves another
        listing of the refs; by ref if the host refuses that. Negotiation is off: the commit has no
        history in common with the clone."""
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        fetch = ("-c", "fetch.negotiationAlgorithm=noop", "fetch", *quiet)
        words = (*fetch, "--no-recurse-submodules", self._remote)
        if self._run(*words, commit).returncode == 0:
            return True
        self._git(*words, self._ref)
        return self._has(commit)

    def _entries(self, commit: str) -> dict[str, str]:
        listing = self._git("ls-tree", "-z", "--full-tree", commit).decode()
        entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
        return {name: kinds.split(" ")[2] for kinds, _, name in entries}

    def _blob(self, data: bytes) -> str:
        return self._git("hash-object", "-w", "--stdin", given=data).decode().strip()

    def _git(
        self, *words: str, given: bytes = b"", expected: Sequence[int] = (0,), quiet: bool = False
    ) -> bytes:
        done = self._run(*words, given=given)
        if done.returncode in expected:
            return done.stdout
        if quiet:
            return b""
        raise _fault(done.stderr)

    def _run(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - git, with our own arguments
                [*GIT, "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", *words],
                input=given,
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError as problem:
            raise Denied("git", "extra") from problem
        except subprocess.TimeoutExpired as problem:
            raise Unsure(f"git did not end within {TIMEOUT:.0f} s") from problem


def _fault(output: bytes) -> Unsure | Denied:
    """A failed command's error, from its output: the exit code is always 128."""
    text = output.decode(errors="replace")
    for words, cause in _REFUSALS:
        if found := words.search(text):
            return Denied(found[0].strip(), cause)
    lines = map(str.strip, text.splitlines())
    # The reason is the first line that is not a warning; advice follows it.
    reasons = (line for line in lines if line and not line.lower().startswith("warning:"))
    return Unsure(next(reasons, "")[:200])


def open_engine(address: str, env: Mapping[str, str], folder: Path) -> GitEngine:
    """The engine of `git:REMOTE[#REF]`. `REF` is a full ref or a name below refs/taskctl/state/.

    REMOTE must be a remote of the clone that `folder` is in.
    """
    remote, _, name = address.removeprefix("git:").partition("#")
    ref = name if name.startswith("refs/") else f"{_NAMES}{name}" if name else DEFAULT_REF
    if not _REF.fullmatch(ref):
        raise Denied(f"{name} is not the name of a ref", "address")
    if not remote:
        raise Denied("it names no remote", "address")
    folder = folder.resolve()
    known = remotes(folder)
    if remote not in known:
        reason = f"{remote} is not a remote of this clone (remotes: {', '.join(known)})"
        raise Denied(reason if known else "this is not a git clone with a remote", "address")
    return GitEngine(folder, remote, ref, env)


def _suffix(ref: str) -> str:
    """The shortest form of a ref in an address."""
    if ref == DEFAULT_REF:
        return ""
    name = ref.removeprefix(_NAMES)
    return f"#{name if _NAME.fullmatch(name) else ref}"


def remotes(folder: Path) -> list[str]:
    """The remotes of the clone that a directory is in; none outside of a clone."""
    try:
        done = subprocess.run(  # noqa: S603 - git, with our own arguments
            [*GIT, "remote"],
            cwd=folder,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError as problem:
        raise Denied("git", "extra") from problem
    return done.stdout.decode(errors="replace").split()
