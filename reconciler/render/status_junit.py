"""How tasks stand as JUnit XML: a suite for each manifest file, a case for each task.

A case fails whose task ended otherwise than well; one that runs or waits is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from reconciler.follow.status import SETTLED, Standing, TaskStatus
from reconciler.render import safe


def junit(statuses: Sequence[TaskStatus]) -> str:
    """The whole document."""
    files = sorted({status.file for status in statuses})
    suites = [_suite(file, [one for one in statuses if one.file == file]) for file in files]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<testsuites name="taskctl wait">\n{"".join(suites)}</testsuites>\n'


def _suite(file: str, statuses: Sequence[TaskStatus]) -> str:
    failed = sum(map(_is_failed, statuses))
    skipped = sum(status.standing not in SETTLED for status in statuses)
    counts = f'tests="{len(statuses)}" failures="{failed}" errors="0" skipped="{skipped}"'
    cases = "".join(_case(status, file) for status in statuses)
    return f"<testsuite name={_attribute(file)} {counts}>\n{cases}</testsuite>\n"


def _case(status: TaskStatus, file: str) -> str:
    place = _attribute(f"{file}.{status.ref.org_name}")
    head = f"<testcase name={_attribute(status.ref.key)} classname={place}>"
    told = status.standing.value
    if _is_failed(status):
        words = status.course.words
        message = f"{told}: {words}" if words else told
        head += f"<failure message={_attribute(message)}/>"
    elif status.standing is not Standing.DONE:
        head += f"<skipped message={_attribute(told)}/>"
    if status.url:
        head += f"<system-out>{escape(safe.line(status.url))}</system-out>"
    return f"{head}</testcase>\n"


def _is_failed(status: TaskStatus) -> bool:
    return status.standing in SETTLED and status.standing is not Standing.DONE


def _attribute(text: str) -> str:
    return quoteattr(safe.line(text))
