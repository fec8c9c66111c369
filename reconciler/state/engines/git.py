"""A state as a ref in a git remote: a commit without parents, replaced by a push with a lease.

The commit's tree contains the head and its blobs, so a swap makes both durable together. Objects
are stored outside the user's repository, of which only the remotes and credentials are used.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from reconciler.model import limits
from reconciler.state.engines import (
    BlobRoom,
    Denied,
    Missing,
    Moved,
    Pace,
    Unsure,
    Version,
    check_size,
)
from reconciler.state.engines.git_clone import DEFAULT_NAME, Clone, git_fault, run_in
from reconciler.system.git import Running

_LOOKUPS = 5
"""Lookups of the ref per read: a busy holder replaces it several times per second."""

_NAMES = "refs/taskctl/state/"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_%-]|\.(?![./]|lock(?:/|$)|$))*")
_PART = re.compile(r"[0-9a-z-]+")
_MAX_OTHERS = 100
_REF = re.compile(rf"refs(?:/{_NAME.pattern})+")
_WHO = "taskctl <taskctl@localhost> 0 +0000"
"""The author of commits: CI runners have no author, and equal content must give the same commit."""

_REJECTED = re.compile(
    r"^!\t[^\t]*\t\[(?P<who>remote )?rejected\](?: \((?P<why>[^)]{0,200}))?", re.M
)
"""The line of `git push --porcelain` about a ref that was not updated."""

_HOOK = re.compile(r"^remote: *(?:error: *)?([^ ].{0,200})", re.M)
"""Output of a hook of the host."""

_RULE = re.compile(r"declined|hidden ref|prohibited|protected|denied", re.IGNORECASE)
"""A host's reasons to reject all updates of a ref; anything else may be a concurrent writer."""


class GitEngine:
    """The Engine of one ref of one remote, used from inside the clone `folder`.

    `url` is the remote's URL for pushes, also for reads, because a mirror may lag behind. Its name
    is not used: settings of the remote are for the user's own fetches and pushes.
    """

    deletes_with_swap = True
    about = ""

    def __init__(self, clone: Clone, remote: str, ref: str, env: Mapping[str, str]) -> None:
        self._folder, self._hash, self._ref = clone.folder, clone.hash, ref
        self._url, self._remote = clone.url(remote, env), remote
        self.display_name = self._address(ref, is_root=not clone.depth)
        self.pace = Pace(heartbeat=30.0, takeover=120.0)
        # Cleanup may fail, because processes of a stopped git may still write for a moment.
        self._temporary = tempfile.TemporaryDirectory(
            prefix="taskctl-git-", ignore_cleanup_errors=True
        )
        self._objects = Path(self._temporary.name)
        self._tree: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._new: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._kept = 0
        self._environment = env
        self._own = {
            "GIT_ALLOC_LIMIT": str(limits.GIT_OBJECT_BYTES),
            "GIT_OBJECT_DIRECTORY": self._temporary.name,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(clone.objects),
        }

    def read(self) -> tuple[bytes, Version] | None:
        """Reads the head, and looks the ref up again if its commit was replaced before it could be
        fetched."""
        for _ in range(_LOOKUPS):
            commit = self._commit()
            if commit is None:
                return None
            if self._has(commit) or self._fetch(commit):
                return self._head_of(commit)
        raise Unsure(f"{self._ref} was replaced while it was read")

    def others(self) -> Sequence[str]:
        """The addresses in the remote's list of refs."""
        listed = self._git("ls-remote", self._url, f"{_NAMES}*").decode(errors="replace")
        refs = (line.partition("\t")[2] for line in listed.splitlines())
        names = {ref.removeprefix(_NAMES) for ref in refs if ref.startswith(_NAMES)}
        others = names - {self._ref.removeprefix(_NAMES)}
        states = [name for name in others if _NAME.fullmatch(name)]
        return [self._address(f"{_NAMES}{name}") for name in sorted(states)[:_MAX_OTHERS]]

    def _address(self, ref: str, *, is_root: bool = False) -> str:
        """The address of a ref of this remote. In the root of a repository, the default state needs
        no name."""
        name = ref.removeprefix(_NAMES)
        if is_root and name == DEFAULT_NAME:
            return f"git:{self._remote}"
        return f"git:{self._remote}#{name if _NAME.fullmatch(name) else ref}"

    def _commit(self) -> str | None:
        """The commit of the ref. `git ls-remote` and `git push` also match the end of a name, so
        that `refs/heads/REF`, which anyone who may push a branch can create, would shadow it."""
        listed = self._git("ls-remote", "--exit-code", self._url, self._ref, expected=(0, 2))
        lines = (line.partition("\t") for line in listed.decode(errors="replace").split("\n"))
        found = {name: commit for commit, _, name in lines if name}
        commit = found.pop(self._ref, None)
        if found:
            raise Denied(f"{min(found)} can be mistaken for {self._ref}; delete it", "address")
        return commit

    def _has(self, commit: str) -> bool:
        """Whether the commit and its tree exist here. Raises Oversized for a very long tree."""
        size = self._git("cat-file", "-s", f"{commit}^{{tree}}", quiet=True)
        check_size("tree", int(size or 0), limits.STATE_TREE_BYTES)
        return bool(size)

    def _check_disk(self) -> None:
        """Raises Oversized if the download is larger than any state."""
        files = (path.lstat().st_size for path in self._objects.rglob("*"))
        with suppress(FileNotFoundError):  # git has just renamed a file
            check_size("pack", sum(files) - self._kept, limits.STATE_FETCH_BYTES)

    def _head_of(self, commit: str) -> tuple[bytes, Version]:
        listing = self._git("ls-tree", "-z", "--long", "--full-tree", commit)
        entries = (entry.partition("\t") for entry in listing.decode(errors="replace").split("\0"))
        tree = {name: about.split() for about, _, name in entries if name}
        files = {n: about for n, about in tree.items() if about[1] == "blob"}
        # A branch whose files include one named `head` must not be taken for a state, and
        # be overwritten.
        if "head" not in files or not all(n in files and _PART.fullmatch(n) for n in tree):
            raise Denied("the ref holds something else", "address")
        self._sizes = {n: int(size) for n, (_, _, _, size) in files.items()}
        self._tree = {n: object_id for n, (_, _, object_id, _) in files.items()}
        head = self._tree.pop("head")
        check_size("head", self._sizes["head"], limits.STATE_HEAD_BYTES)
        return self._git("cat-file", "blob", head), Version(commit)

    def swap(self, data: bytes, over: Version | None) -> Version:
        kept = {n: i for n, i in self._tree.items() if n not in self._deleted}
        tree = {**kept, **self._new, "head": self._write("blob", data)}
        commit = self._write_commit(tree)
        self._push(self._ref, commit, over or "")
        self._tree = {name: i for name, i in tree.items() if name != "head"}
        self._new, self._deleted = {}, set()
        return Version(commit)

    def put_blob(self, name: str, data: bytes) -> None:
        """Stores a blob, which is sent with the next swap."""
        self._new[name] = self._write("blob", data)
        self._deleted.discard(name)

    def get_blob(self, name: str, room: BlobRoom) -> bytes:
        object_id = self._new.get(name) or self._tree.get(name)
        if object_id is None:
            raise Missing(name)
        size = self._sizes.get(name, 0)
        check_size(name, size, limits.STATE_PART_BYTES)
        room.take(name, size)
        return self._git("cat-file", "blob", object_id, most=limits.STATE_PART_BYTES)

    def delete_blobs(self, names: Sequence[str]) -> None:
        """Takes effect with the next swap."""
        self._deleted.update(names)
        self._new = {n: i for n, i in self._new.items() if n not in self._deleted}

    def close(self) -> None:
        self._temporary.cleanup()

    def prepare(self) -> None:
        """Does nothing: a ref needs no preparation."""

    def probe(self) -> None:
        """Does nothing: the server checks each lease of a push in one transaction."""

    def _push(self, ref: str, new: str, old: str) -> None:
        """Replaces the ref if it is still `old`."""
        settings = ("-c", "push.gpgSign=false", "-c", "push.pushOption=")
        words = [*settings, "push", "--porcelain", "--atomic", "--no-verify", "--no-follow-tags"]
        words += ["--no-recurse-submodules"]
        lease = f"--force-with-lease={ref}:{old}"
        done = self._run(*words, lease, self._url, f"{new}:{ref}")
        if done.returncode == 0:
            return
        rejected = _REJECTED.search(done.stdout.decode(errors="replace"))
        if rejected is None:
            raise git_fault(done.stderr)
        why = rejected["why"] or ""
        if rejected["who"]:
            more = _HOOK.search(done.stderr.decode(errors="replace"))
            reason = f"{why}: {more[1]}" if more else why
            raise Denied(reason, "rejected") if _RULE.search(why) else Unsure(reason)
        raise Moved("the head was replaced")

    def _fetch(self, commit: str) -> bool:
        """Fetches the commit, and returns whether it is available. Fetching by ID saves another
        listing of the refs; if the host rejects it, fetches the ref. Negotiation is off: the commit
        has no history in common with the clone."""
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        fetch = ("-c", "fetch.negotiationAlgorithm=noop", "fetch", *quiet)
        words = (*fetch, "--no-recurse-submodules", self._url)
        self._kept = sum(path.lstat().st_size for path in self._objects.rglob("*"))
        for what in (commit, self._ref):
            done = self._run(*words, what, watch=self._check_disk)
            self._check_disk()
            if done.returncode == 0 and self._has(commit):
                return True
        if done.returncode:
            raise git_fault(done.stderr)
        return False

    def _write_commit(self, tree: Mapping[str, str]) -> str:
        """A commit without parents whose tree has these blobs."""
        entries = ((name.encode(), bytes.fromhex(i)) for name, i in tree.items())
        listing = b"".join(b"100644 %b\0%b" % entry for entry in sorted(entries))
        root = self._write("tree", listing)
        about = f"\n{self.about}\n" if self.about else ""
        text = f"tree {root}\nauthor {_WHO}\ncommitter {_WHO}\n\ntaskctl state\n{about}".encode()
        return self._write("commit", text)

    def _write(self, kind: str, data: bytes) -> str:
        """Stores an object in git's format, without starting a git process. Returns its ID."""
        whole = b"%b %d\0%b" % (kind.encode(), len(data), data)
        object_id = hashlib.new(self._hash, whole, usedforsecurity=False).hexdigest()
        with tempfile.NamedTemporaryFile(dir=self._objects, delete=False) as file:
            file.write(zlib.compress(whole, 1))
        folder = self._objects / object_id[:2]
        folder.mkdir(exist_ok=True)
        Path(file.name).replace(folder / object_id[2:])
        return object_id

    def _git(
        self,
        *words: str,
        expected: Sequence[int] = (0,),
        quiet: bool = False,
        **how: Unpack[Running],
    ) -> bytes:
        done = self._run(*words, **how)
        if done.returncode in expected:
            return done.stdout
        if quiet:
            return b""
        raise git_fault(done.stderr)

    def _run(self, *words: str, **how: Unpack[Running]) -> subprocess.CompletedProcess[bytes]:
        return run_in(self._folder, *words, env=self._environment, own=self._own, **how)


def open_engine(address: str, env: Mapping[str, str], folder: Path) -> GitEngine:
    """The engine of `git:REMOTE[#REF]`. `REF` is a full ref or a name below refs/taskctl/state/.
    Without it, the name depends on the location of `folder` in its repository.

    REMOTE must be a remote of the clone that contains `folder`.
    """
    remote, _, name = address.removeprefix("git:").partition("#")
    if name and not _REF.fullmatch(name if name.startswith("refs/") else f"{_NAMES}{name}"):
        raise Denied(f"{name} is not the name of a ref", "address")
    if not remote:
        raise Denied("it names no remote", "address")
    clone = Clone.around(folder.resolve(), env)
    name = name or clone.state_name
    return GitEngine(clone, remote, name if name.startswith("refs/") else f"{_NAMES}{name}", env)
