"""Manifests like those of a platform team, of any size: about 430 bytes of YAML per task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

ORG = "acme"
HEAD = f"version: 1\norgName: {ORG}\ndefaults:\n  permissionMode: read-only\ntasks:\n"

_VERBS = ("Rotate", "Upgrade", "Review", "Narrow", "Report on", "Clean up", "Document", "Tag")
_THINGS = ("the IAM keys", "the providers", "the cost", "the drift", "the stale pull requests")


def one_task(number: int) -> str:
    """The YAML of one task: a prompt of four lines, entities, and some settings."""
    verb, thing = _VERBS[number % len(_VERBS)], _THINGS[number % len(_THINGS)]
    return (
        f"  job-{number:06d}:\n"
        "    message:\n"
        "      content: |\n"
        f"        {verb} {thing} of service {number}, and say in one table what was found.\n"
        f"        Look at the stacks of project-{number % 400} first; change nothing in prod.\n"
        "        Open one pull request for each repository, with a test that shows it.\n"
        "      entity_diff:\n"
        "        add:\n"
        f"          - {{type: stack, project: project-{number % 400}, name: prod}}\n"
        "    approvalMode: auto\n"
        "    planMode: true\n"
    )


def write_manifest(
    path: Path, count: int, first: int = 0, change: Callable[[str, int], str] = lambda task, _: task
) -> None:
    """Writes a manifest of `count` tasks, each modified by `change`, piece by piece to keep this
    process small: the peak memory of a child is never below that of its parent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(change(one_task(number), number) for number in range(first, first + count))


def write_repository(folder: Path, count: int, per_file: int = 10_000) -> None:
    """Writes `tasks/` in `folder`, with `count` tasks in files of up to `per_file`."""
    for first in range(0, count, per_file):
        name = f"part-{first // per_file:03d}.yaml"
        write_manifest(folder / "tasks" / name, min(per_file, count - first), first)


def write_entry(folder: Path, count: int) -> None:
    """Writes `tasks/` in `folder`, with one entry that generates `count` tasks like those of a
    manifest, and a data file with a row for each."""
    rows = (
        f"{number:06d},{_VERBS[number % len(_VERBS)]},{_THINGS[number % len(_THINGS)]},"
        f"{number},project-{number % 400}\n"
        for number in range(count)
    )
    task = one_task(0).replace(f"{_VERBS[0]} {_THINGS[0]}", "{{ row.verb }} {{ row.thing }}")
    task = task.replace("service 0", "service {{ row.number }}")
    task = task.replace("project: project-0", 'project: "{{ row.project }}"')
    task = task.replace("project-0", "{{ row.project }}").replace("job-000000", "job")
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    each = f"    forEach:\n      row: {{file: ../rows.csv}}\n      atMost: {count}\n"
    (folder / "tasks" / "all.yaml").write_text(f"{HEAD}{task}{each}", encoding="utf-8")
    with (folder / "rows.csv").open("w", encoding="utf-8") as file:
        file.write("name,verb,thing,number,project\n")
        file.writelines(rows)


def write_zone(folder: Path, count: int) -> None:
    """Writes `example.com.yaml`, a DNS zone of `count` records for octoDNS's YAML provider."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "example.com.yaml").open("w", encoding="utf-8") as file:
        file.write("---\n")
        file.writelines(_records(count))


def _records(count: int) -> Iterator[str]:
    for number in range(count):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield f"host-{number:06d}:\n  ttl: 300\n  type: A\n  value: {address}\n"
