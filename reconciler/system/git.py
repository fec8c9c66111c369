"""Runs git in repositories that anyone may change: no file in them can specify a program that git
runs, and no program that git runs gets taskctl's secrets. Also checks whether a file above the
working directory may be used, because another user may have written it."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TypedDict, Unpack
from urllib.parse import urlsplit

from reconciler.system import disk

TIMEOUT = 120.0
"""Seconds for one command."""

_WATCH = 0.25
_ERROR_BYTES = 1 << 14
_OUTPUT_BYTES = 1 << 24

_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)/?(.+)", re.ASCII)

_OPTIONS = (
    *("-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
)
"""Git treats any directory with HEAD, objects, refs and config as a repository, and its
configuration can name programs to run; anyone can commit such a directory."""

_OWNER = re.compile(r"dubious ownership in repository at '(.*)'")
_SECRETS = ("PULUMI_", "TASKCTL_")
"""Prefixes of variables that no other program gets."""

_ELSEWHERE = frozenset({
    *("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE"),
    *("GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_CONFIG"),
    *("GIT_EXEC_PATH", "GIT_TEMPLATE_DIR"),
})  # fmt: skip
"""Variables that select another repository (a hook has some of them), or other programs of git."""


class Running(TypedDict, total=False):
    """`watch` is called several times per second, and may raise to stop git. `most`: the bytes that
    git may print."""

    watch: Callable[[], object]
    most: int


def run_git(
    folder: Path,
    *words: str,
    env: Mapping[str, str],
    own: Mapping[str, str] | None = None,
    **how: Unpack[Running],
) -> subprocess.CompletedProcess[bytes]:
    """Runs git to its end. Raises FileNotFoundError without git, another OSError if it prints too
    much, TimeoutExpired, and exceptions of `watch`. Only the start of git's error output is kept,
    because a host may send any amount.

    `env` is the user's environment. Credential helpers and ssh inherit it, so the access token and
    the keys of states are removed from it; `own` are variables to add.
    """
    command = ["git", *_OPTIONS, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - git, without a shell
        command,
        cwd=folder,
        env=_environment(env, own),
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
    ) as process:
        most = how.get("most", _OUTPUT_BYTES)
        printed, errors = _Start(process.stdout, most), _Start(process.stderr, _ERROR_BYTES)
        process.stdout = process.stderr = None  # else they would be closed during reads
        try:
            _wait(process, how.get("watch", lambda: None))
        except BaseException:
            process.kill()
            raise
    output, is_whole = printed.read()
    if not is_whole:
        raise OSError(errno.EFBIG, f"git printed more than {most} bytes")
    return subprocess.CompletedProcess(command, process.returncode, output, errors.read()[0])


class _Start:
    """Reads the output of a process to its end, and keeps its first `most` bytes."""

    def __init__(self, stream: IO[bytes] | None, most: int) -> None:
        self._kept = bytearray()
        self._is_whole = True
        self._thread = threading.Thread(target=self._run, args=(stream, most), daemon=True)
        self._thread.start()

    def _run(self, stream: IO[bytes], most: int) -> None:
        with stream:
            while chunk := stream.read(_ERROR_BYTES):
                self._is_whole &= len(self._kept) + len(chunk) <= most
                self._kept += chunk[: most - len(self._kept)]

    def read(self) -> tuple[bytes, bool]:
        """The kept bytes, and whether they are the whole output."""
        self._thread.join(TIMEOUT)
        return bytes(self._kept), self._is_whole


def _wait(process: subprocess.Popen[bytes], watch: Callable[[], object]) -> None:
    for _ in range(round(TIMEOUT / _WATCH)):
        try:
            process.wait(timeout=_WATCH)
        except subprocess.TimeoutExpired:
            watch()
        else:
            return
    raise subprocess.TimeoutExpired(process.args, TIMEOUT)


def start_git(
    folder: Path, *words: str, env: Mapping[str, str], own: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Starts a git command that reads requests from its standard input, and writes responses to its
    standard output. Raises FileNotFoundError without git."""
    command = ["git", *_OPTIONS, *words]
    return subprocess.Popen(  # noqa: S603 - git, without a shell
        command,
        cwd=folder,
        env=_environment(env, own),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _environment(env: Mapping[str, str], own: Mapping[str, str] | None) -> dict[str, str]:
    kept = {
        name: value
        for name, value in env.items()
        if not name.startswith(_SECRETS) and name not in _ELSEWHERE
    }
    return {**kept, **(own or {}), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def safe_directories(env: Mapping[str, str]) -> list[str]:
    """The values of `safe.directory`, which git never reads from a repository; none without git."""
    words = ("config", "--null", "--path", "--get-all", "safe.directory")
    try:
        done = run_git(Path("/"), *words, env=env, own={"GIT_DIR": os.devnull})
    except FileNotFoundError:
        return []
    return os.fsdecode(done.stdout).split("\0")[:-1]


def refusal_facts(reason: str) -> tuple[str, dict[str, str]]:
    """The case and the facts of TC875 for git's message: if the repository belongs to another user,
    also the directory that git does not trust."""
    if found := _OWNER.search(reason):
        return "owner", {"directory": found[1]}
    return "", {"reason": reason}


_GITDIR_BYTES = 16_384


def untrusted(path: Path, folder: Path) -> tuple[Path, str, str] | None:
    """None if `path` belongs to the owner of `folder`, to this user or to root, or if git's
    `safe.directory` lists its directory. Otherwise the path (or its target), its owner, and the
    owner of `folder`. Raises OSError.

    Permissions are ignored, because some CI systems clone with umask 0.
    """
    owner = owner_of(folder)
    if owner is None:
        return None
    trusted = {owner, os.geteuid(), 0}
    for part in _parts(path):
        found = owner_of(part)
        if found is not None and found not in trusted:
            if is_safe(path.parent, safe_directories(os.environ)):
                return None
            return part, _name(found), _name(owner)
    return None


def is_safe(folder: Path, listed: list[str]) -> bool:
    """Compares a directory with `safe.directory` as git does: an empty value resets the list."""
    if "" in listed:
        listed = listed[len(listed) - listed[::-1].index("") :]
    paths = {str(folder), *(f"{up}/*" for up in folder.parents)}
    return "*" in listed or any(path.rstrip("/") in paths for path in listed)


def _parts(path: Path) -> Iterator[Path]:
    """The path, the target of a link, and the directory that a `.git` file names."""
    yield path
    if path.is_symlink():
        yield (path := Path(os.path.realpath(path)))
    if path.name == ".git" and path.is_file():
        named = disk.read_start(path, _GITDIR_BYTES).partition(b"gitdir:")[2].strip()
        if named:
            yield (folder := path.parent / os.fsdecode(named))
            yield Path(os.path.realpath(folder))


def owner_of(path: Path) -> int | None:
    """The user ID of the owner; None if the file does not exist, or on systems without user IDs."""
    try:
        return os.lstat(path).st_uid if os.name == "posix" else None
    except FileNotFoundError:
        return None


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def project_of(url: str) -> str:
    """`HOST/OWNER/REPOSITORY` of a remote's URL, in each of git's forms."""
    parts = urlsplit(url)
    if parts.scheme in ("https", "http", "ssh", "git") and parts.hostname:
        port = f":{parts.port}" if parts.port and parts.scheme.startswith("http") else ""
        host, path = f"{parts.hostname}{port}", parts.path
    elif found := _SCP.fullmatch(url):
        host, path = found.groups()
    else:
        return ""
    return f"{host}/{path.strip('/').removesuffix('.git')}"
