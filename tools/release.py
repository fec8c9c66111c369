"""Builds the files of a release in `dist/`: `python -m tools.release` (`make release`).

- the sdist and the wheel, built twice in different directories and compared;
- a software bill of materials (`tools/sbom.py`);
- the release notes: the section of CHANGELOG.md, and the line that pins this commit;
- SHA256SUMS of all of them.

Only what is committed goes in, and every time is that of the commit. In the README, links to other
files become absolute. A commit with the tag of the
version is a release, and CHANGELOG.md must have its section. Any other commit gives the same files
as a rehearsal, with the section Unreleased.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.address import repository
from tools.sbom import sbom

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"

ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
"""The second build runs with this environment and another umask, in another directory."""


class ReleaseError(Exception):
    """The problem, and how to fix it."""


def main() -> int:
    try:
        release()
    except ReleaseError as problem:
        print(f"release: {problem}", file=sys.stderr)
        return 1
    return 0


def release() -> None:
    if git("status", "--porcelain"):
        raise ReleaseError("there are uncommitted changes; commit or remove them first")
    commit, time = git("log", "-1", "--format=%H %ct").split()
    version = _version()
    is_tagged = _is_tagged(f"v{version}", commit)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = version if is_tagged else "Unreleased"
    notes = release_notes(changelog, section, version, commit)
    files = _built_twice(commit, time)
    files["taskctl.cdx.json"] = sbom(version)
    files["NOTES.md"] = notes.encode()
    files["SHA256SUMS"] = checksums(files)
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for name, content in files.items():
        (DIST / name).write_bytes(content)
    kind = f"tag v{version}" if is_tagged else f"rehearsal, since the commit has no tag v{version}"
    print(f"dist/ has the files of {version} ({commit}; {kind}):")
    print(files["SHA256SUMS"].decode(), end="")


def git(*arguments: str) -> str:
    """The output of a git command in this repository, without the final newline."""
    ended = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise ReleaseError(f"git {arguments[0]} failed: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _version() -> str:
    text = (ROOT / "reconciler" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ReleaseError("reconciler/__init__.py has no __version__")
    return found[1]


def _is_tagged(tag: str, commit: str) -> bool:
    """Whether the commit has the tag. A tag at another commit means that the version is taken."""
    found = git("for-each-ref", "--format=%(objectname) %(*objectname)", f"refs/tags/{tag}")
    if found and commit not in found.split():
        raise ReleaseError(f"{tag} is a tag of another commit; choose the next version")
    return bool(found)


def release_notes(changelog: str, section: str, version: str, commit: str) -> str:
    """The section of a changelog, and how to pin the release."""
    heading = rf"^## \[{re.escape(section)}\]( - \d{{4}}-\d\d-\d\d)?\n"
    found = re.search(heading + r"(.*?)(?=^## \[|^\[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or (section == version and not found[1]):
        dated = f"## [{section}] - YYYY-MM-DD"
        raise ReleaseError(f"CHANGELOG.md has no section {dated}: rename Unreleased to it")
    if not found[2].strip():
        raise ReleaseError(f"the section {section} of CHANGELOG.md is empty")
    pin = f"uses: your-org/taskctl@{commit} # v{version}"
    return f"# taskctl {version}\n\nTo pin this release: `{pin}`\n\n{found[2].strip()}\n"


def _built_twice(commit: str, time: str) -> dict[str, bytes]:
    """The sdist and the wheel by name, once two builds have given the same bytes."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory("-2") as second:
        one = _built(Path(first), commit, time, {}, umask=0o022)
        two = _built(Path(second), commit, time, ELSEWHERE, umask=0o077)
    differing = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    if differing:
        raise ReleaseError(f"two builds differ: {', '.join(differing)}")
    return one


def _built(
    folder: Path, commit: str, time: str, more: dict[str, str], *, umask: int
) -> dict[str, bytes]:
    """The sdist, and the wheel that is built from it."""
    source, out = folder / "source", folder / "out"
    source.mkdir()
    subprocess.run(["tar", "-x"], cwd=source, input=archived(commit), check=True, umask=umask)
    readme = source / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_absolute_links(text, commit), encoding="utf-8")
    for target in ("sdist", "wheel"):
        words = ["-m", "hatchling", "build", "--directory", str(out), "--target", target]
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=source,
            env={**os.environ, **more, "SOURCE_DATE_EPOCH": time},
            capture_output=True,
            text=True,
            umask=umask,
            check=False,
        )
        if ended.returncode:
            raise ReleaseError(f"the build failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        if target == "sdist":
            (sdist,) = out.iterdir()
            subprocess.run(["tar", "-xzf", str(sdist)], cwd=folder, check=True, umask=umask)
            source = folder / sdist.name.removesuffix(".tar.gz")
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def with_absolute_links(readme: str, commit: str) -> str:
    """The README for the page of a package index, which has no other file of the repository."""
    pictures = rf"\1https://raw.githubusercontent.com/{repository()}/{commit}/"
    files = rf"\1https://github.com/{repository()}/blob/{commit}/"
    readme = re.sub(r"(!\[[^]]*]\()(?!https?:)", pictures, readme)
    return re.sub(r"(\[[^]]*]\()(?!https?:|#)", files, readme)


def archived(commit: str, repository: Path = ROOT) -> bytes:
    """The files of a commit as they are stored, whatever line ends and filters git's configuration
    asks for."""
    settings = ("core.autocrlf=false", "core.eol=lf", "core.attributesFile=", "tar.umask=0002")
    command = ["git", *(word for setting in settings for word in ("-c", setting))]
    ended = subprocess.run(
        [*command, "archive", "--format=tar", commit],
        cwd=repository,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        capture_output=True,
        check=True,
    )
    return ended.stdout


def checksums(files: dict[str, bytes]) -> bytes:
    """In the format of sha256sum."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    return "".join(lines).encode()


if __name__ == "__main__":
    sys.exit(main())
