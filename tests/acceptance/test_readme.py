"""What the README shows is what the tool prints."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import blocks, commands, environment, shell, without_ids


def test_the_readme_shows_what_the_tool_prints(tmp_path: Path) -> None:
    env, ran = environment(tmp_path), 0
    for block in blocks("README.md"):
        if block.language == "yaml":
            path = tmp_path / block.text.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.language != "console":
            continue
        for command, shown in commands(block.text):
            ended = shell(command, tmp_path, env)
            assert ended.returncode == 0, ended.stderr
            assert without_ids(ended.stdout) == without_ids(shown), command
            ran += 1
    assert ran == 3


def test_it_tells_all_of_it_on_the_first_screen() -> None:
    text = Path("README.md").read_text(encoding="utf-8")
    screen = text.splitlines()[:75]
    for needed in ("make demo", "$ taskctl plan", "$ taskctl apply", "version: 1"):
        assert any(needed in line for line in screen), needed
