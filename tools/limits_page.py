"""The table of limits in SECURITY.md, from `reconciler/model/limits.py`."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.model import limits

PAGE = Path(__file__).resolve().parents[1] / "SECURITY.md"
_BLOCK = re.compile(r"(<!-- limits -->\n).*?(<!-- end of limits -->\n)", re.DOTALL)


def _mib(size: int) -> str:
    return f"{size // limits.MIB} MiB"


_EACH = limits.KEPT_BYTES_PER_TASK >> 10
_ROWS = (
    ("A manifest or a policy", _mib(limits.MANIFEST_BYTES), "file"),
    ("All manifests", _mib(limits.MANIFESTS_BYTES), "run"),
    ("Tasks; generated tasks count before `exclude`, due or not", f"{limits.TASKS:,}", "run"),
    ("`*` in the globs under `removed`", f"{limits.GLOB_STARS}", "run"),
    ("Organizations of the tasks", f"{limits.ORGANIZATIONS}", "run"),
    ("Axes of `forEach`", f"{limits.AXES}", "entry"),
    (
        "The name of an axis, or of a field of its rows",
        f"{limits.NAME_CHARACTERS} characters",
        "name",
    ),
    ("Values in the rows and combinations of entries", f"{limits.ROW_VALUES:,}", "run"),
    ("Items of `exclude` or `pilot`", f"{limits.MATCHERS}", "entry"),
    ("A prompt file or a data file", _mib(limits.NAMED_FILE_BYTES), "file"),
    ("`taskctl.toml`", _mib(limits.CONFIG_BYTES), "file"),
    ("Nested directories below a PATH", f"{limits.FOLDER_DEPTH}", "run"),
    ("A path in a file", f"{limits.PATH_CHARACTERS:,} characters", "path"),
    ("Parts of such a path below the root of the repository", f"{limits.PATH_PARTS}", "path"),
    ("A saved plan", _mib(limits.SAVED_PLAN_BYTES), "file"),
    ("A file of the cache", _mib(limits.CACHED_FILE_BYTES), "file"),
    ("Nested levels of a recorded, planned or cached value", f"{limits.STORED_DEPTH}", "value"),
    ("The database of the embedded service", _mib(limits.LOCAL_DATABASE_BYTES), "file"),
    ("A state file, and its journal", _mib(limits.STATE_FILE_BYTES), "file"),
    ("A shared state", _mib(limits.STATE_BYTES), "read"),
    ("One part of a shared state", _mib(limits.STATE_PART_BYTES), "read"),
    ("The head of a shared state", _mib(limits.STATE_HEAD_BYTES), "read"),
    ("The list of the parts of a state in git", _mib(limits.STATE_TREE_BYTES), "read"),
    ("The data of a state that git downloads, on disk", _mib(limits.STATE_FETCH_BYTES), "read"),
    ("An object of a state in git, in memory", _mib(limits.GIT_OBJECT_BYTES), "read"),
    ("The outputs of a task that are recorded", f"{limits.OUTPUT_BYTES // 1024} KiB", "record"),
    (
        "Listing the files that git tracks, and their paths",
        f"{limits.GIT_LIST_SECONDS:g} s, {_mib(limits.GIT_LIST_BYTES)}",
        "run",
    ),
    ("Nested levels of YAML", f"{limits.YAML_DEPTH}", "file"),
    ("Values and characters to which YAML aliases expand", f"{limits.ALIAS_VALUES:,}", "file"),
    ("Reported errors in schemas, templates and `after`", f"{limits.TASK_FINDINGS}", "task"),
    ("Errors in YAML, the schema and the policy", f"{limits.FILE_ERRORS:,}", "file"),
    ("Generated tasks and their prompts", _mib(limits.GENERATED_BYTES), "run"),
    ("A JSON Schema file for `expect`", f"{limits.SCHEMA_BYTES // 1024} KiB", "file"),
    ("Values in a policy, and in all schemas of `expect`", f"{limits.SCHEMA_VALUES:,}", "run"),
    ("Nested levels of a policy or such a schema", f"{limits.SCHEMA_DEPTH}", "file"),
    (
        "Nested keywords during the evaluation of a schema",
        f"{limits.NESTED_KEYWORDS}",
        "value",
    ),
    (
        "CPU time for the policy and all schemas of `expect` together, as a last resort",
        f"{limits.CHECK_SECONDS:g} s",
        "run",
    ),
    ("Checking the result of a task", f"{limits.RESULT_SECONDS:g} s of CPU time", "task"),
    ("Results per schema whose check exceeds this time", f"{limits.RESULT_TIMEOUTS}", "run"),
    (
        "Keywords that a policy evaluates, and its violations",
        (
            f"{limits.POLICY_STEPS:,}, {limits.POLICY_STEPS_PER_TASK} for each generated task,"
            " 1 for each byte of a manifest"
        ),
        "run",
    ),
    ("Concurrent requests (`--parallelism`)", f"{limits.PARALLELISM}", "run"),
    ("A response of the service, decompressed", _mib(limits.RESPONSE_BYTES), "response"),
    (
        "Commas, colons and brackets in a response, outside of strings",
        f"{limits.RESPONSE_VALUES:,}",
        "response",
    ),
    ("Chunks in which a response arrives", f"{limits.RESPONSE_PARTS:,}", "response"),
    (f"Responses above {_mib(limits.SMALL_RESPONSE_BYTES)} in memory", "1", "run"),
    ("Entries on a page of a list", f"{limits.PAGE_ENTRIES:,}", "response"),
    (
        "The continuation token of a page",
        f"{limits.PAGE_TOKEN_CHARACTERS:,} characters",
        "response",
    ),
    ("Pages of the list of tasks", f"{limits.LIST_PAGES:,}", "lookup"),
    ("Pages of the events of a task", f"{limits.EVENT_PAGES}", "task"),
    ("Reading the list of tasks", f"{limits.LIST_SECONDS:g} s", "lookup"),
    ("Reading the events of a task", f"{limits.EVENT_SECONDS:g} s", "task"),
    (
        "Data kept from responses",
        f"{_mib(limits.KEPT_BYTES)}, and {_EACH} KiB for each of the first {limits.TASKS:,} values",
        "lookup",
    ),
    (
        "Open requests, open tool calls, and attached pull requests",
        f"{limits.SUMMARY_ITEMS}",
        "task",
    ),
)
"""The limited input, the limit, and its purpose."""


def limits_page() -> str:
    """SECURITY.md with the table between its two comments."""
    rows = ["| input | at most | per |", "| --- | --- | --- |"]
    rows += [f"| {what} | {most} | {scope} |" for what, most, scope in _ROWS]
    made, count = _BLOCK.subn(
        lambda found: found[1] + "\n".join(rows) + "\n" + found[2],
        PAGE.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise ValueError("SECURITY.md has no place for the table of limits")
    return made
