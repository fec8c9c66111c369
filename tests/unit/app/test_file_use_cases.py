"""init, fmt and show without click: files in, values out."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.app.apply import apply
from reconciler.app.fmt import fmt
from reconciler.app.init import GITIGNORE, HOOK, SCHEMA, InitOptions, init
from reconciler.app.show import show
from reconciler.app.validate import validate
from reconciler.app.wave import ApplyRequest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from tests.support.recording_ui import RecordingUi, context

UNTIDY = "version:   1\norgName: acme\ntasks:\n    one: {message:   do it}\n"
TIDY = "version: 1\norgName: acme\ntasks:\n  one: {message: do it}\n"


def codes(problem: pytest.ExceptionInfo[TaskctlError]) -> list[Code]:
    return [each.code for each in problem.value.diagnostics]


def test_init_writes_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    with context(tmp_path, RecordingUi()) as ctx:
        first = init(ctx)
        example, schema, ignored, config, hook = (
            str(tmp_path / name)
            for name in ("tasks/example.yaml", SCHEMA, GITIGNORE, "taskctl.toml", HOOK)
        )
        assert first.written == [example, schema, ignored, config]
        assert first.shown == []
        assert not (tmp_path / HOOK).exists()
        (tmp_path / SCHEMA).write_text("{}")
        second = init(ctx, ".", InitOptions(hook=True))
        assert second.kept[:2] == [example, ignored]
        assert second.written == [schema, hook]
        assert validate(ctx, ()).tasks == 1


def test_init_reports_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "tasks").write_text("a file")
    with context(tmp_path, RecordingUi()) as ctx, pytest.raises(TaskctlError) as problem:
        init(ctx)
    assert codes(problem) == [Code.CANNOT_WRITE]


def test_fmt_formats_or_reports(tmp_path: Path) -> None:
    path = tmp_path / "a.tasks.yaml"
    path.write_text(UNTIDY)
    (tmp_path / "b.tasks.yaml").write_text("version: [\n")
    with context(tmp_path, RecordingUi()) as ctx:
        checked = fmt(ctx, (), check=True)
        assert path.read_text() == UNTIDY
        assert [name for name, file in checked.files.items() if file.changed] == [path.name]
        done = fmt(ctx, (), check=False)
        assert [each.code for each in done.diagnostics] == [Code.INVALID_YAML]
        assert path.read_text() == TIDY
        assert not fmt(ctx, [path.name], check=True).changed


def test_show_reads_a_task(tmp_path: Path) -> None:
    (tmp_path / "a.tasks.yaml").write_text(TIDY)
    with context(tmp_path, RecordingUi()) as ctx:
        with pytest.raises(TaskctlError) as problem:
            show(ctx, ["one"])
        assert codes(problem) == [Code.NO_TASK_YET]
        apply(ctx, ApplyRequest(yes=True))
        (report,), _now = show(ctx, ["one"])
        assert (report.ref.key, report.diff) == ("one", ())
        with pytest.raises(TaskctlError) as problem:
            show(ctx, ["two"])
        assert codes(problem) == [Code.UNKNOWN_TASK]
