"""Prompts in files: what is read, from where, and what a change of the file means."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.manifest.loader import load
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity
from reconciler.model.limits import LINK_PARTS, NAMED_FILE_BYTES, PATH_PARTS
from tests.support.manifest_cases import lines, loaded, only_code
from tests.support.repository import committed, git, new_repository, track


def manifest(contents: str, key: str = "rotate", more: str = "") -> str:
    return f"version: 1\ntasks:\n  {key}: {{message: {{contentFile: {contents}}}{more}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    new_repository(folder)
    (folder / "tasks" / "prompts").mkdir(parents=True)
    (folder / "tasks" / "prompts" / "rotate.md").write_text("Rotate.\n")
    track(folder)
    return folder


def test_the_path_of_two_files_instead_of_a_prompt_is_one_error(repository: Path) -> None:
    """It may be relative to the manifest and to the working directory."""
    for folder in (repository, repository / "tasks"):
        (folder / "p.md").write_text("Rotate.\n")
    found = loaded("version: 1\ntasks: {rotate: {message: p.md}}\n", repository, "tasks/a.yaml")
    assert only_code(found) == Code.PROMPT_IS_PATH


@pytest.mark.parametrize(
    ("prompt", "warns"),
    [
        ("prompts/b.md", True),
        ("Fix-keys.TXT", True),
        ("https://example.com/a.md", False),
        ("Fix README.md", False),
        ("{{row}}.md", False),
        (".md", False),
    ],
)
def test_a_prompt_of_one_word_that_is_a_path_is_a_warning(
    repository: Path, prompt: str, warns: bool
) -> None:
    found = loaded(f"version: 1\ntasks: {{rotate: {{message: '{prompt}'}}}}\n", repository)
    problems = [d for d in found.diagnostics if d.code is Code.PROMPT_IS_PATH]
    assert [(d.case, d.severity) for d in problems] == [("missing", Severity.WARNING)] * warns


@pytest.mark.parametrize("is_tracked", [True, False])
def test_a_file_of_a_similar_name_is_suggested(repository: Path, is_tracked: bool) -> None:
    if not is_tracked:
        shutil.rmtree(repository / ".git")
    for given, near in (
        ("prompts/rotat.md", "prompts/rotate.md"),
        ("prompts/other.md", None),
        ("promts/rotate.md", None),
    ):
        found = loaded(manifest(given), repository, "tasks/a.yaml").diagnostics[0]
        assert (found.case.endswith(".similar"), found.args.get("near")) == (near is not None, near)


def test_nothing_beside_the_repository_is_suggested(repository: Path) -> None:
    (repository.parent / "other").touch()
    for given in (".", "..", "tasks/.."):
        found = loaded(manifest(given), repository)
        assert only_code(found) in ("TC116/untracked", "TC116/prompt")


def test_few_names_are_compared_with_those_of_a_directory(repository: Path) -> None:
    """A comparison with a thousand names takes long, and a manifest may have thousands of tasks."""
    names = [f"prompts/rotat-{n}.md" for n in range(30)]
    tasks = "".join(
        f"  t{n}: {{message: {{contentFile: {name}}}}}\n" for n, name in enumerate(names)
    )
    for name in names:
        (repository / "tasks" / name.replace("rotat", "rotate")).write_text("Rotate.\n")
    track(repository)
    found = loaded(f"version: 1\ntasks:\n{tasks}", repository, "tasks/a.yaml").diagnostics
    assert len(found) == len(names)
    assert sum(each.case.endswith(".similar") for each in found) == 10


def test_an_untracked_file_is_not_suggested(repository: Path) -> None:
    """Its name may be known only to the machine, and whether a file exists, too."""
    (repository / "tasks/prompts/secret-plan.md").write_text("x")
    for given in ("prompts/secret-plans.md", "prompts/secret-plan.md", "prompts/none.md"):
        (repository / "tasks/a.yaml").write_text(manifest(given))
        found = load(["tasks/a.yaml"], root=repository).diagnostics[0]
        assert (found.code, found.case) == (Code.OUTSIDE_REPOSITORY, "untracked")


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (b"Rotate.\n", "Rotate.\n"),
        (b"Rotate.", "Rotate."),
        (b"Rotate.\n\n\n", "Rotate.\n"),
        (b"\n\nRotate.  \n \n", "\n\nRotate.  \n \n"),
        (b"one\r\ntwo\rthree\r\n\r\n", "one\ntwo\nthree\n"),
        (b"\xef\xbb\xbfRotate.\n", "Rotate.\n"),
        ("Schl\u00fcssel \U0001f511\n".encode(), "Schl\u00fcssel \U0001f511\n"),
    ],
)
def test_a_prompt_file_is_read_like_a_block_scalar(
    content: bytes, prompt: str, repository: Path
) -> None:
    (repository / "p.md").write_bytes(content)
    found = loaded(manifest("p.md"), repository)
    assert found.diagnostics == ()
    assert found.tasks[0].inputs == {"message": {"content": prompt}}


def test_a_prompt_file_and_an_inline_prompt_give_the_same_task(repository: Path) -> None:
    text = "Rotate the keys.\n\nThen say so.\n"
    (repository / "p.md").write_text(text)
    block = "version: 1\ntasks:\n  rotate:\n    message:\n      content: |\n"
    block += "".join(f"        {line}\n" for line in text.splitlines())
    more = "      entity_diff: {add: [{type: stack, name: prod, project: net}]}\n"
    inline = loaded(block + more, repository, "a.yaml")
    apart = loaded(
        "version: 1\ntasks:\n  rotate:\n    message:\n      contentFile: p.md\n" + more,
        repository,
        "b.yaml",
    )
    assert inline.diagnostics == apart.diagnostics == ()
    assert inline.tasks[0].inputs == apart.tasks[0].inputs
    assert apart.tasks[0].file == "b.yaml"
    assert apart.tasks[0].line == 3


def test_the_path_is_relative_to_the_manifest(repository: Path) -> None:
    place = repository / "tasks" / "iam.yaml"
    place.write_text(manifest("prompts/rotate.md"))
    for root, name in (
        (repository, "tasks/iam.yaml"),
        (repository / "tasks" / "prompts", str(place)),
    ):
        found = load([name], root=root)
        assert found.diagnostics == ()
        assert found.tasks[0].inputs["message"] == {"content": "Rotate.\n"}


def test_parent_folders_within_the_repository_are_allowed(repository: Path) -> None:
    (repository / "prompts").mkdir()
    (repository / "prompts" / "shared.md").write_text("\x1b\n")
    (repository / "tasks" / "iam.yaml").write_text(manifest("../prompts/shared.md"))
    track(repository)
    assert [d.file for d in load([], root=repository).diagnostics] == ["prompts/shared.md"]
    below = load(["iam.yaml"], root=repository / "tasks")
    assert [d.file for d in below.diagnostics] == ["../prompts/shared.md"]


@pytest.mark.parametrize("given", ["../outside.md", "tasks/../../outside.md", "../gone.md"])
def test_a_path_outside_the_repository_is_rejected(given: str, repository: Path) -> None:
    (repository.parent / "outside.md").write_text("Rotate.\n")
    found = loaded(manifest(given), repository)
    assert only_code(found) == "TC116/prompt"
    assert lines(found) == ["a.yaml:3:35: error: TC116/prompt tasks.rotate.message.contentFile"]
    assert found.tasks == ()


def test_a_link_out_of_the_repository_is_rejected(repository: Path) -> None:
    outside = repository.parent / "outside"
    outside.mkdir()
    (outside / "p.md").write_text("Rotate.\n")
    (repository / "p.md").symlink_to(outside / "p.md")
    (repository / "folder").symlink_to(outside)
    (repository / "twice").symlink_to("folder")
    for given in ("p.md", "folder/p.md", "twice/p.md", "folder/gone.md"):
        assert only_code(loaded(manifest(given), repository)) == "TC116/prompt"


def test_a_link_within_the_repository_is_followed(repository: Path) -> None:
    (repository / "p.md").symlink_to("tasks/prompts/rotate.md")
    found = loaded(manifest("p.md"), repository)
    assert found.tasks[0].inputs["message"] == {"content": "Rotate.\n"}
    (repository / "tasks" / "prompts" / "rotate.md").write_text(" \n")
    found = loaded(manifest("p.md"), repository)
    assert [d.file for d in found.diagnostics] == ["tasks/prompts/rotate.md"]


def test_a_symlink_loop_is_reported(repository: Path) -> None:
    (repository / "p.md").symlink_to("q.md")
    (repository / "q.md").symlink_to("p.md")
    assert only_code(loaded(manifest("p.md"), repository)) == "TC101/links"


@pytest.mark.parametrize("more", [0, 1])
def test_the_targets_of_all_links_in_a_path_have_a_limited_number_of_parts(
    repository: Path, more: int
) -> None:
    (repository / "here").symlink_to("/".join(["."] * (LINK_PARTS - 2 + more)))
    (repository / "d").mkdir()
    (repository / "d/p.md").symlink_to("../q.md")
    (repository / "q.md").write_text("Rotate.\n")
    track(repository)
    found = loaded(manifest("here/d/p.md"), repository)
    assert [(d.case, d.at.line, d.at.column) for d in found.diagnostics] == [
        ("links", 3, 35)
    ] * more
    assert len(found.tasks) == 1 - more


def test_too_many_links_reveal_nothing_about_files_outside(repository: Path) -> None:
    (repository.parent / "here").symlink_to("/".join(["."] * (LINK_PARTS + 1)))
    (repository / "out").symlink_to("..")
    for given in ("../here/p.md", "out/here/p.md", "../gone/p.md"):
        assert only_code(loaded(manifest(given), repository)) == "TC116/prompt"


@pytest.mark.parametrize(
    "given", [".env", ".venv/x.md", "a/.b/c.md", "link.md", "tasks/../.env", ".github-x/p.md"]
)
def test_hidden_files_are_rejected(given: str, repository: Path) -> None:
    """Whether they exist is not told."""
    (repository / "link.md").symlink_to(".env")
    for content in (None, "TOKEN=1\n"):
        if content is not None:
            (repository / ".env").write_text(content)
        assert only_code(loaded(manifest(given), repository)) == "TC116/prompt-hidden"
    (repository / ".github").mkdir()
    (repository / ".github/p.md").write_text("Rotate.\n")
    assert loaded(manifest(".github/p.md"), repository).diagnostics == ()


@pytest.mark.parametrize("given", [".git/config", "tasks/../.git/config", "kept/.GIT/config"])
def test_files_of_git_are_rejected(given: str, repository: Path) -> None:
    (repository / ".git" / "config").write_text("[http] extraheader = AUTHORIZATION: basic x\n")
    assert only_code(loaded(manifest(given), repository)) == "TC116/prompt-git"


def test_a_linked_work_tree_is_a_repository(tmp_path: Path) -> None:
    tree, main = tmp_path / "tree", tmp_path / "main"
    new_repository(main)
    (main / "p.md").write_text("Rotate.\n")
    committed(main)
    git(main, "worktree", "add", "--quiet", str(tree))
    (tree / "tasks").mkdir()
    (tree / "tasks" / "a.yaml").write_text(manifest("../p.md"))
    assert load(["a.yaml"], root=tree / "tasks").diagnostics == ()
    (tmp_path / "p.md").write_text("Rotate.\n")
    (tree / "tasks" / "a.yaml").write_text(manifest("../../p.md"))
    assert only_code(load([], root=tree)) == "TC116/prompt"


def test_without_a_repository_the_working_folder_is_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "p.md").write_text("Rotate.\n")
    (tmp_path / "tasks" / "a.yaml").write_text(manifest("../p.md"))
    assert load(["tasks"], root=tmp_path).diagnostics == ()
    found = load(["a.yaml"], root=tmp_path / "tasks")
    assert only_code(found) == "TC116/prompt-directory"


def test_prompt_files_work_with_another_working_folder(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tasks" / "a.yaml").write_text(manifest("prompts/rotate.md"))
    assert run(["-C", str(repository), "validate"]) == 0
    (repository / "tasks" / "prompts" / "rotate.md").write_text("one\n\x07\n")
    assert run(["-C", str(repository), "validate"]) == 1
    assert "\ntasks/prompts/rotate.md:2:1: error: " in "\n" + capsys.readouterr().err


def test_a_pipe_is_rejected_without_reading(repository: Path) -> None:
    (repository / "pipe").touch()
    track(repository)
    (repository / "pipe").unlink()
    os.mkfifo(repository / "pipe")
    (repository / "a.yaml").write_text(manifest("pipe"))
    (found,) = load(["a.yaml"], root=repository).diagnostics
    assert (found.code, found.args["reason"]) == (Code.UNREADABLE_FILE, "not a regular file")


def test_a_prompt_file_that_is_too_large_is_rejected(repository: Path) -> None:
    (repository / "p.md").write_bytes(b"x" * NAMED_FILE_BYTES)
    assert loaded(manifest("p.md"), repository).diagnostics == ()
    (repository / "p.md").write_bytes(b"x" * (NAMED_FILE_BYTES + 1))
    found = loaded(manifest("p.md"), repository)
    assert lines(found) == ["p.md:1:1: error: TC102/prompt tasks.rotate.message"]


def test_a_prompt_file_is_read_and_reported_once(repository: Path) -> None:
    (repository / "p.md").write_bytes(b"\xff")
    text = "version: 1\ntasks:\n"
    text += "".join(f"  t{n}: {{message: {{contentFile: p.md}}}}\n" for n in range(3))
    found = loaded(text, repository)
    assert [(d.file, d.key) for d in found.diagnostics] == [("p.md", "t0")]
    assert found.tasks == ()


def test_aliases_may_share_a_message(repository: Path) -> None:
    text = "version: 1\ntasks:\n  a: {message: &m {contentFile: tasks/prompts/rotate.md}}\n"
    found = loaded(text + "  b: {message: *m, planMode: true}\n", repository)
    assert [t.inputs["message"] for t in found.tasks] == [{"content": "Rotate.\n"}] * 2


def test_other_problems_of_the_task_are_also_reported(repository: Path) -> None:
    found = loaded(manifest("gone.md", more=", planMode: maybe"), repository)
    assert len(found.diagnostics) == 2


def test_a_manifest_may_be_a_prompt(repository: Path) -> None:
    found = loaded(manifest("a.yaml"), repository)
    assert found.diagnostics == ()
    assert found.tasks[0].inputs["message"] == {"content": manifest("a.yaml")}


def test_a_problem_in_a_prompt_has_its_line(repository: Path) -> None:
    (repository / "p.md").write_bytes(b"one\rtwo \x07\r")
    found = loaded(manifest("p.md"), repository)
    assert found.diagnostics[0].line == 2


def test_a_path_with_too_many_parts_is_an_error_at_the_path(repository: Path) -> None:
    """Also if a link leads there, and whether or not the file exists."""
    deep = Path(*["d"] * PATH_PARTS)
    (repository / deep).mkdir(parents=True)
    (repository / deep / "p.md").write_text("Rotate.\n")
    (repository / "link").symlink_to("d/d")
    linked = Path("link", *deep.parts[2:], "p.md")
    track(repository)
    for given in map(Path.as_posix, (deep / "p.md", deep / "none.md", linked)):
        (found,) = loaded(manifest(given), repository).diagnostics
        assert (found.code, found.case) == (Code.UNREADABLE_FILE, "parts")
        assert (found.at.line, found.at.column) == (3, 35)


@pytest.mark.parametrize("more", [0, 1])
def test_no_file_is_searched_for_a_prompt_that_is_a_deep_path(repository: Path, more: int) -> None:
    deep = Path(*["d"] * (PATH_PARTS - 1 + more), "p")
    (repository / deep).parent.mkdir(parents=True)
    (repository / deep).write_text("Rotate.\n")
    text = f"version: 1\ntasks: {{rotate: {{message: {deep.as_posix()}}}}}\n"
    found = loaded(text, repository).diagnostics
    assert [d.code for d in found] == [Code.PROMPT_IS_PATH] * (1 - more)


@contextmanager
def counted_calls() -> Iterator[list[object]]:
    """The paths that `os.lstat` is called with."""
    lstat = os.lstat
    calls: list[object] = []

    def counted(path: str | Path, **more: int | None) -> os.stat_result:
        calls.append(path)
        return lstat(path, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "lstat", counted)
        yield calls


def test_a_file_costs_the_same_in_nested_directories(repository: Path) -> None:
    """Each directory is resolved and checked once."""
    costs = []
    for folder in ("flat", "/".join(["d"] * 20)):
        (repository / folder).mkdir(parents=True)
        for number in range(20):
            (repository / folder / f"{number}.md").write_text(f"Rotate {folder} {number}.\n")
        track(repository)
        counts = []
        for files in (10, 20):
            tasks = (f"  k{n}: {{message: {{contentFile: {folder}/{n}.md}}}}" for n in range(files))
            text = "\n".join(("version: 1", "tasks:", *tasks, ""))
            with counted_calls() as calls:
                found = loaded(text, repository)
            assert found.diagnostics == ()
            counts.append(len(calls))
        costs.append(counts[1] - counts[0])
    flat, nested = costs
    assert 0 < nested == flat


def test_each_directory_of_a_path_is_looked_at_twice(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for links, and once for a repository in it: 1 MB of deep paths takes seconds."""
    inner = "/".join(["d"] * 20)
    for number in range(20):
        (repository / f"{number}" / inner).mkdir(parents=True)
        (repository / f"{number}" / inner / "p.md").write_text(f"Rotate {number}.\n")
    track(repository)
    monkeypatch.chdir(repository)
    counts = []
    for files in (10, 20):
        tasks = (f"  k{n}: {{message: {{contentFile: {n}/{inner}/p.md}}}}" for n in range(files))
        (repository / "a.yaml").write_text("\n".join(("version: 1", "tasks:", *tasks, "")))
        with counted_calls() as calls:
            assert run(["validate", "a.yaml"]) == 0
        counts.append(len(calls))
    above = len(repository.parts) + 3
    assert counts[1] - counts[0] <= 10 * (2 * 21 + above)
