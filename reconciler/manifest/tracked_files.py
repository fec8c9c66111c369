"""The files that git tracks: in a clone, only these become prompts, data, schemas or policies.

A file such as `.env` or a build's output is on the machine, but not in the repository. A manifest
must not make it a prompt, which is shown in pull requests and sent. The index decides, not
`.gitignore`, which the author of a pull request can change.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import IO

from reconciler.manifest.finding import Finding
from reconciler.manifest.repository import git_directory, small_file
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.value import Value, replace
from reconciler.system import disk

_COMMAND = ("-c", "core.bare=false", "ls-files", "-z", "-v")
_CHUNK = 1 << 16
_NAME = 2  # an index: the fields with --stage are letter, mode, name, stage
_SHA256 = re.compile(rb"^[ \t]*+objectformat[ \t]*+=[ \t]*+\"?sha256", re.MULTILINE | re.IGNORECASE)
_LFS = b"version https://git-lfs.github.com/spec/"


class _Index(Value, frozen=True):
    """The files in git's index, by path from the top: the status letter and, in a sparse checkout,
    in which a different file may be left, also the mode and the name of the blob."""

    entries: dict[bytes, bytes]

    def refusal(self, path: bytes) -> str | None:
        """The case of OUTSIDE_REPOSITORY for a file that git does not track, or whose changes it
        ignores (skip-worktree or assume-unchanged)."""
        letter = self.entries.get(path, b"")[:1]
        if not letter:
            return "untracked"
        return "flagged" if letter == b"S" or letter.islower() else None

    def is_other(self, path: bytes, content: bytes) -> bool:
        """Whether a file in a sparse checkout differs from its entry."""
        fields = self.entries[path].split(b" ")
        if len(fields) == 1:
            return False
        name = fields[_NAME]
        texts = (content, content.replace(b"\r\n", b"\n"))
        return name.decode() not in {_blob_name(text, len(name)) for text in texts}


def _blob_name(content: bytes, length: int) -> str:
    import hashlib  # `validate` seldom needs it

    kind = "sha256" if length == hashlib.sha256().digest_size * 2 else "sha1"
    head = b"blob %d\0" % len(content)
    return hashlib.new(kind, head + content, usedforsecurity=False).hexdigest()


class TrackedFiles:
    """Runs git once for each repository, when a manifest first refers to a file in it."""

    def __init__(self) -> None:
        self._indexes: dict[Path, _Index | Finding] = {}

    def refusal(
        self, top: Path, path: Path, name: str, content: bytes | None = None
    ) -> Finding | None:
        """The reason why a file (without links) of the repository `top` must not be used. Call it
        before the file is opened, and again with its `content`. `name` is the file in messages."""
        if top not in self._indexes:
            self._indexes[top] = _read_index(top)
        index, facts = self._indexes[top], {"file": name}
        if isinstance(index, Finding):
            return replace(index, facts={**index.facts, **facts})
        entry = os.fsencode(path.relative_to(top).as_posix())
        if (case := index.refusal(entry)) is not None:
            return Finding(Code.OUTSIDE_REPOSITORY, (), case, facts)
        if content is None:
            return None
        if index.is_other(entry, content):
            return Finding(Code.OUTSIDE_REPOSITORY, (), "sparse", facts)
        return Finding(Code.UNREADABLE_FILE, (), "lfs", facts) if content.startswith(_LFS) else None


def _read_index(top: Path) -> _Index | Finding:
    try:
        return _Index(dict(_listed(top)))
    except FileNotFoundError as problem:
        if problem.filename == "git":
            return Finding(Code.UNREADABLE_FILE, (), "no-git")
        return _unknown(problem, top)
    except OSError as problem:
        return _unknown(problem, top)


def _unknown(problem: OSError, top: Path) -> Finding:
    path, reason = str(problem.filename or top / ".git"), problem.strerror or str(problem)
    return Finding(Code.UNREADABLE_FILE, (), "git", {"path": path, "reason": reason})


def _listed(top: Path) -> Iterator[tuple[bytes, bytes]]:
    """The paths in the index of the repository `top`, with git's flags. Raises OSError."""
    import tempfile  # few manifests refer to files, and these imports take 5 ms

    from reconciler.system.git import start_git

    own = git_directory(top / ".git")
    is_sparse = os.path.lexists(own / "info/sparse-checkout")
    words = (*_COMMAND, "--stage") if is_sparse else _COMMAND
    with tempfile.TemporaryDirectory(prefix="taskctl-git-") as ours:
        variables = _repository(Path(ours), top, own)
        with start_git(top, *words, env=os.environ, own=variables) as process:
            timer = Timer(limits.GIT_LIST_SECONDS, process.kill)
            timer.start()
            try:
                for entry in _entries(process.stdout):
                    said, _, path = entry.partition(b"\t" if is_sparse else b" ")
                    yield path, said
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
    if process.returncode:
        raise OSError(errno.EIO, "git ls-files failed", str(own / "index"))


def _entries(output: IO[bytes] | None) -> Iterator[bytes]:
    """The parts of git's output before each NUL. Raises OSError if there are too many."""
    rest, left = b"", limits.GIT_LIST_BYTES
    while output is not None and (chunk := output.read(_CHUNK)):
        left -= len(chunk)
        if left < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _repository(ours: Path, top: Path, own: Path) -> dict[str, str]:
    """Makes the empty directory `ours` a git directory for `top` that lacks the configuration of
    the clone, which can specify programs, other files, or a pipe that never ends. Returns the
    variables for git to use it with the index and objects of the clone. Raises OSError."""
    disk.read_start(own / "HEAD", 0)  # raises if this is no repository
    if os.path.lexists(own / "index"):
        disk.read_start(own / "index", 0)  # does not wait for a pipe, unlike git
    common = own
    if (named := small_file(own / "commondir")) is not None:  # a linked work tree
        common = own / os.fsdecode(named.strip())
    (ours / "refs").mkdir()
    (ours / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    if _SHA256.search(small_file(common / "config") or b""):
        version = "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\n"
        (ours / "config").write_text(version)
    for part in own.glob("sharedindex.*"):
        (ours / part.name).symlink_to(part.absolute())
    return {
        "GIT_DIR": str(ours),
        "GIT_WORK_TREE": str(top),
        "GIT_INDEX_FILE": str(own.absolute() / "index"),
        "GIT_OBJECT_DIRECTORY": str(common.absolute() / "objects"),
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
