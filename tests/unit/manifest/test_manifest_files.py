"""The files that a PATH selects, and how messages name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest.discovery import real_names
from reconciler.manifest.loader import Manifests, load
from reconciler.manifest.repository import path_inside
from reconciler.model.limits import LINK_PARTS
from tests.support.manifest_cases import code

EMPTY = "version: 1\ntasks: {}\n"


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EMPTY)


def files(root: Path, *paths: str) -> list[str]:
    manifests = load(paths, root=root)
    assert manifests.diagnostics == ()
    return list(manifests.files)


def problem(manifests: Manifests) -> str:
    (only,) = manifests.diagnostics
    return f"{only.file}: {code(only)} {' '.join(map(str, only.args.values()))}".rstrip()


def test_a_folder_is_read_recursively(tmp_path: Path) -> None:
    put(tmp_path, "t/b.yaml", "t/a.yml", "t/x/y/c.yaml", "t/.hidden.yaml", "t/.git/d.yaml")
    put(tmp_path, "t/notes.txt", "t/e.json", "t/.d/e.yml")
    assert files(tmp_path, "t") == ["t/a.yml", "t/b.yaml", "t/x/y/c.yaml"]
    assert files(tmp_path, "t/") == files(tmp_path, "./t") == files(tmp_path, "t/x/../")


def test_a_named_file_is_read_whatever_its_extension(tmp_path: Path) -> None:
    put(tmp_path, "t/.hidden", "notes.txt")
    assert files(tmp_path, "t/.hidden", "notes.txt") == ["notes.txt", "t/.hidden"]


def test_each_file_is_read_once(tmp_path: Path) -> None:
    put(tmp_path, "t/a.yaml", "t/u/b.yaml")
    os.link(tmp_path / "t/a.yaml", tmp_path / "t/same.yaml")
    assert files(tmp_path, "t/a.yaml", "t", "t/u", "./t") == ["t/a.yaml", "t/u/b.yaml"]


@pytest.mark.parametrize(
    ("link", "target"), [("up", ".."), ("self.yaml", "self.yaml"), ("same.yaml", "a.yaml")]
)
def test_no_link_is_followed(tmp_path: Path, link: str, target: str) -> None:
    put(tmp_path, "t/a.yaml")
    (tmp_path / "t" / link).symlink_to(target)
    manifests = load(["t"], root=tmp_path)
    assert manifests.files == ("t/a.yaml",)
    assert problem(manifests) == f"t/{link}: TC116/link"
    assert problem(load([f"t/{link}"], root=tmp_path)).startswith(f"t/{link}: TC1")


def test_links_to_the_working_directory_are_the_users_own(tmp_path: Path) -> None:
    put(tmp_path, "real/t/a.yaml")
    (tmp_path / "link").symlink_to("real")
    assert files(tmp_path / "link", "t") == ["t/a.yaml"]
    put(tmp_path, "here/b.yaml")
    assert files(tmp_path / "here", "../link/t") == ["../link/t/a.yaml"]


@pytest.mark.parametrize("more", [0, 1])
def test_names_with_too_many_links_have_no_real_name(tmp_path: Path, more: int) -> None:
    """A state may name thousands of files behind links with long targets."""
    put(tmp_path, "t/a.yaml")
    (tmp_path / "here").symlink_to("/".join(["."] * (LINK_PARTS + more)))
    real = {} if more else {"here/t/a.yaml": "t/a.yaml"}
    assert real_names(tmp_path, ["here/t/a.yaml"]) == real
    assert path_inside(tmp_path, "here/t/a.yaml") == (None if more else tmp_path / "t/a.yaml")


def test_files_outside_the_root_keep_their_paths(tmp_path: Path) -> None:
    put(tmp_path, "out/a.yaml", "root/b.yaml")
    root = tmp_path / "root"
    assert files(root, "../out") == ["../out/a.yaml"]
    assert files(root, str(tmp_path / "out")) == [f"{tmp_path.as_posix()}/out/a.yaml"]
    assert files(root, str(root / "b.yaml")) == ["b.yaml"]
    assert files(root, str(root)) == ["b.yaml"]


def test_a_relative_root_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "r/tasks/a.yaml")
    monkeypatch.chdir(tmp_path)
    assert files(Path("r")) == ["tasks/a.yaml"]
    assert files(Path("r"), "tasks", str(tmp_path / "r" / "tasks")) == ["tasks/a.yaml"]


def test_default_locations_are_searched(tmp_path: Path) -> None:
    put(tmp_path, "tasks/a.yaml", "iam.tasks.yaml", "other.yaml", "x/deep.tasks.yaml")
    assert files(tmp_path) == ["iam.tasks.yaml", "tasks/a.yaml"]


def test_no_manifest_in_the_default_locations_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "folder.tasks.yaml").mkdir()
    assert problem(load([], root=tmp_path)) == "None: TC802"


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "t/.x/a.yaml", "t/readme.md")
    assert problem(load(["t"], root=tmp_path)) == "None: TC802/directory t"
    assert load(["t", "t"], root=tmp_path).diagnostics == load(["t"], root=tmp_path).diagnostics


def test_data_files_are_not_manifests(tmp_path: Path) -> None:
    put(tmp_path, "tasks/a.yaml", "tasks/stacks.data.yaml", "tasks/x/regions.data.yml")
    put(tmp_path, "t/stacks.data.yaml", "x.data.yaml", "a.data.tasks.yaml")
    assert files(tmp_path) == ["a.data.tasks.yaml", "tasks/a.yaml"]
    assert files(tmp_path, "tasks") == ["tasks/a.yaml"]
    assert files(tmp_path, "tasks/a.yaml", "tasks/stacks.data.yaml") == ["tasks/a.yaml"]
    assert problem(load(["x.data.yaml"], root=tmp_path)) == "x.data.yaml: TC802/data"
    assert problem(load(["t"], root=tmp_path)) == "None: TC802/directory t"
    missing = load(["missing.data.yaml"], root=tmp_path)
    assert problem(missing) == "missing.data.yaml: TC101 No such file or directory"


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml")
    manifests = load(["a.yaml", "nowhere.yaml"], root=tmp_path)
    assert problem(manifests) == "nowhere.yaml: TC101 No such file or directory"
    assert manifests.files == ("a.yaml",)


def test_an_unreadable_path_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "t/a.yaml", "t/b.yaml")
    opened = os.open

    def refusing(path: Path | str, flags: int, **more: Any) -> int:
        if str(path) == "a.yaml":
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, **more)

    monkeypatch.setattr(os, "open", refusing)
    assert problem(load(["t"], root=tmp_path)) == "t/a.yaml: TC101 Permission denied"

    def closed(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", closed)
    assert problem(load(["t"], root=tmp_path)) == "t: TC101 Permission denied"
