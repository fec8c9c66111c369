"""The generated parts of docs/ci.md: the files of examples/ci/, and the inputs of the action."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "GitHub: a plan on each pull request": "github-plan.yml",
    "GitHub: apply on main": "github-apply.yml",
    "GitHub: the results": "github-results.yml",
    "Answers": "github-answer.yml",
    "Notifications": "github-notify.yml",
    "GitLab": "gitlab-ci.yml",
    "Other CI systems: a shell script": "plain.sh",
}
_TABLES = re.compile(r"\| input \|.*?(?=\n\n## )", re.DOTALL)


def ci_page() -> str:
    """The page with its copies updated."""
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for heading, name in EXAMPLES.items():
        copy = (ROOT / "examples" / "ci" / name).read_text(encoding="utf-8")
        before, title, after = text.partition(f"\n## {heading}\n")
        head, fence, rest = after.partition("\n```")
        language, _, rest = rest.partition("\n")
        _, end, rest = rest.partition("```\n")
        text = f"{before}{title}{head}{fence}{language}\n{copy}{end}{rest}"
    return _TABLES.sub(lambda _: _tables(), text, count=1)


def _tables() -> str:
    action = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text(encoding="utf-8"))
    rows = ["| input | default | description |", "| --- | --- | --- |"]
    for name, described in action["inputs"].items():
        default = f"`{described['default']}`" if described["default"] else ""
        rows.append(f"| `{name}` | {default} | {described['description']} |")
    rows += ["", "| output | description |", "| --- | --- |"]
    rows += [
        f"| `{n}` | {described['description']} |" for n, described in action["outputs"].items()
    ]
    return "\n".join(rows)
