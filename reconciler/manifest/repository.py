"""The repository of a directory, and the paths that lead out of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.manifest.links import Resolver
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Place, TaskctlError
from reconciler.system import disk

CONFIG = "taskctl.toml"


def repository_root(folder: Path) -> Path | None:
    """The nearest directory at or above `folder` with `.git` (a file in a linked work tree), with
    links resolved; None outside of repositories.

    If that `.git` is above `folder` and belongs to another user, the root is the nearest directory
    with a `taskctl.toml` instead; raises TaskctlError if there is none.
    """
    real = resolved(folder)
    configured = None
    for top in (real, *real.parents):
        if configured is None and os.path.lexists(top / CONFIG):
            configured = top
        if os.path.lexists(top / ".git"):
            refused = _refused(top / ".git", real)
            if refused is None:
                return top
            if configured is None or configured == top != real:
                raise refused
            return configured
    return None


_WORKSPACES = (
    *("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "BUILDKITE_BUILD_CHECKOUT_PATH"),
    *("CIRCLE_WORKING_DIRECTORY", "BUILD_SOURCESDIRECTORY"),
)
"""Variables with the workspace of a CI job, also listed in script/environment.sh."""


def outer_repository(folder: Path, env: Mapping[str, str]) -> Path | None:
    """The repository of a directory. For a submodule, whose files are chosen by whoever can commit
    there, the repository around it; in a CI job, the workspace, which may have other checkouts."""
    top = repository_root(folder)
    if top is not None:
        # The git directory of a submodule is in the `.git/modules` of the repository around it.
        inside = resolved(git_directory(top / ".git")).parents
        around = next((folder.parent for folder in inside if folder.name == ".git"), top)
        top = around if top.is_relative_to(around) else top
    for text in filter(None, map(env.get, _WORKSPACES)):
        workspace = os.path.realpath(os.path.expanduser(text))  # noqa: PTH111 - never raises
        if top is not None and top.is_relative_to(workspace):
            top = Path(workspace)
    return top


def git_directory(path: Path) -> Path:
    """`.git`, or the directory to which a `.git` file refers. Raises OSError."""
    if path.is_dir():
        return path
    named = (small_file(path) or b"").partition(b"gitdir:")[2].strip()
    return path.parent / os.fsdecode(named)


def small_file(path: Path) -> bytes | None:
    """The content; None if the file does not exist. Raises OSError if it is large, or not a regular
    file."""
    return disk.read_file(path, most=limits.CONFIG_BYTES, follow=True)


def repositories_around(path: Path) -> list[Path]:
    """The directories with `.git` above a path, whose links are not resolved."""
    return [folder for folder in path.parents if os.path.lexists(folder / ".git")]


def clone_below(top: Path, path: Path) -> Path | None:
    """The clone or submodule below the repository `top` that a path, with links resolved, is in."""
    folder = str(path)  # a `Path` of each directory would take longer than the system calls
    for _ in range(len(path.parts) - len(top.parts)):
        if os.path.lexists(f"{folder}/.git"):
            return Path(folder)
        folder = os.path.dirname(folder)  # noqa: PTH120
    return None


def refuse_untrusted(path: Path, folder: Path) -> None:
    """Raises TaskctlError for a file above `folder` (resolved) that another user may have put
    there."""
    if (refused := _refused(path, folder)) is not None:
        raise refused


def _refused(path: Path, folder: Path) -> TaskctlError | None:
    if path.parent == folder:
        return None
    from reconciler.system.git import untrusted

    if (found := untrusted(path, folder)) is None:
        return None
    part, owner, other = found
    facts = {"path": str(part), "owner": owner, "folder": str(folder), "other": other}
    return TaskctlError.of(Code.UNTRUSTED_OWNER, at=NOWHERE, directory=str(path.parent), **facts)


def resolved(path: Path) -> Path:
    """The path with links resolved, existing or not; `Path.resolve` raises for link loops. A path
    with hundreds of links is returned as it is: the system refuses to open it."""
    try:
        return Path(os.path.realpath(path))
    except RecursionError:
        return path.absolute()


def in_git(path: Path) -> bool:
    """Whether a path leads into `.git`, under any name that a file system treats as the same."""
    return any(part.rstrip(". ").lower() in (".git", "git~1") for part in path.parts)


def is_hidden(path: Path) -> bool:
    """Whether a part of a path below the repository's root starts with a dot: such files are for
    tools and secrets. Those in `.github` are not."""
    return any(part.startswith(".") and part != ".github" for part in path.parts)


def path_inside(root: Path, name: str) -> Path | None:
    """The path `name`, relative to `root`, with links resolved; None if it is outside of the
    repository (or of `root`, if that is in none), in `.git`, or has too many links. For names from
    a state, which no user typed."""
    home = resolved(root)
    try:
        found = Resolver().resolve(home, name)
    except ValueError:  # the system's encoding cannot represent it
        return None
    real, top = Path(found.path), repository_root(root) or home
    return real if is_below(top, real) and not found.is_cut_off else None


def is_below(top: Path, real: Path) -> bool:
    """Whether a path without links is in the directory `top`, and not in `.git`."""
    return real.is_relative_to(top) and not in_git(real.relative_to(top))


def link_out(root: Path, name: str) -> str | None:
    """The target of a path, relative to `root`, that is inside the repository but leads out of it,
    or into `.git`; else None.

    The repository is untrusted: a link in it must not choose the file that is overwritten.
    """
    base = resolved(root)
    top = repository_root(root) or base
    plain, real = Path(os.path.normpath(base / name)), resolved(root / name)
    if not plain.is_relative_to(top):
        return None
    stays = real.is_relative_to(top) and in_git(real.relative_to(top)) == in_git(
        plain.relative_to(top)
    )
    return None if stays else str(real)


def refuse_link_out(root: Path, name: str, case: str) -> None:
    """Raises TaskctlError for a `link_out`; `case` selects the diagnostic."""
    if (target := link_out(root, name)) is not None:
        raise TaskctlError.of(Code.OUTSIDE_REPOSITORY, case, at=Place(name), target=target)
