"""All limits on input that taskctl does not trust, in one table.

Each is per run unless its row says otherwise, and admits the largest input that makes sense. A
count decides wherever it can, never a time: a busy machine must not change a verdict. Where only a
time can stop a check, the verdict is that there is none.
"""

from __future__ import annotations

from reconciler.model.value import Value

MIB = 1 << 20

MANIFEST_BYTES = 64 * MIB
NAMED_FILE_BYTES = 1 * MIB
CONFIG_BYTES = 1 * MIB
FOLDER_DEPTH = 100
PATH_CHARACTERS = 4_096
SAVED_PLAN_BYTES = 512 * MIB
CACHED_FILE_BYTES = 200 * MIB

STATE_FILE_BYTES = 2048 * MIB
STATE_BYTES = 512 * MIB
STATE_PART_BYTES = 256 * MIB
STATE_HEAD_BYTES = 4 * MIB
STATE_TREE_BYTES = 4 * MIB
STATE_FETCH_BYTES = 1600 * MIB
GIT_OBJECT_BYTES = 512 * MIB
GIT_HOST_BYTES = 50_000_000
OUTPUT_BYTES = 2 * 1024
GIT_ANSWER_SECONDS = 10.0

YAML_DEPTH = 100
ALIAS_VALUES = 4_000_000
TASK_FINDINGS = 16

GENERATED_TASKS = 100_000
GENERATED_BYTES = 64 * MIB

SCHEMA_BYTES = 256 * 1024
SCHEMA_VALUES = 50_000
SCHEMA_DEPTH = 50
NESTED_KEYWORDS = 200
SCHEMA_SECONDS = 10.0
RESULT_SECONDS = 2.0
RESULT_TIMEOUTS = 3

POLICY_STEPS = 50_000
POLICY_STEPS_PER_TASK = 1_000
POLICY_SECONDS = 2.0
POLICY_SECONDS_PER_TASK = 0.01

PARALLELISM = 256
DEFAULT_PARALLELISM = 10

RESPONSE_BYTES = 8 * MIB
RESPONSE_VALUES = 250_000
SMALL_RESPONSE_BYTES = 1 * MIB
LIST_PAGES = 2_000
PAGE_ENTRIES = 1_000
PAGE_TOKEN_CHARACTERS = 4_096
EVENT_PAGES = 200
EVENT_SECONDS = 30.0
KEPT_BYTES = 64 * MIB
KEPT_BYTES_PER_TASK = 16 * 1024
SUMMARY_ITEMS = 200


class Limit(Value, frozen=True):
    """A row of the table: what is limited, to how much, and for what."""

    what: str
    most: str
    scope: str


def _mib(size: int) -> str:
    return f"{size // MIB} MiB"


def table() -> tuple[Limit, ...]:
    """The rows, for the documents."""
    return (
        Limit("A manifest or a policy", _mib(MANIFEST_BYTES), "file"),
        Limit("A prompt file or a data file", _mib(NAMED_FILE_BYTES), "file"),
        Limit("`taskctl.toml`, `pyproject.toml`, `.gitignore`", _mib(CONFIG_BYTES), "file"),
        Limit("Nested directories below a PATH", f"{FOLDER_DEPTH}", "run"),
        Limit("A path in a file", f"{PATH_CHARACTERS:,} characters", "path"),
        Limit("A saved plan", _mib(SAVED_PLAN_BYTES), "file"),
        Limit("A file of the cache", _mib(CACHED_FILE_BYTES), "file"),
        Limit("A state file, and its journal", _mib(STATE_FILE_BYTES), "file"),
        Limit("A shared state", _mib(STATE_BYTES), "read"),
        Limit("One part of a shared state", _mib(STATE_PART_BYTES), "read"),
        Limit("The head of a shared state", _mib(STATE_HEAD_BYTES), "read"),
        Limit("The list of the parts of a state in git", _mib(STATE_TREE_BYTES), "read"),
        Limit("What git downloads of a state, on disk", _mib(STATE_FETCH_BYTES), "read"),
        Limit("An object of a state in git, in memory", _mib(GIT_OBJECT_BYTES), "read"),
        Limit("What the service says about a task", f"{OUTPUT_BYTES // 1024} KiB", "record"),
        Limit("Git's answer whether it ignores a file", f"{GIT_ANSWER_SECONDS:g} s", "file"),
        Limit("Nested levels of YAML", f"{YAML_DEPTH}", "file"),
        Limit("Values and characters that YAML aliases stand for", f"{ALIAS_VALUES:,}", "file"),
        Limit("Errors in its schema, or in `after`, that are reported", f"{TASK_FINDINGS}", "task"),
        Limit("Tasks that entries generate, before `exclude`", f"{GENERATED_TASKS:,}", "run"),
        Limit("Texts of generated tasks, in memory", _mib(GENERATED_BYTES), "run"),
        Limit("A JSON Schema that `expect` names", f"{SCHEMA_BYTES // 1024} KiB", "file"),
        Limit("Values in a policy, and in all schemas of `expect`", f"{SCHEMA_VALUES:,}", "run"),
        Limit("Nested levels of a policy or such a schema", f"{SCHEMA_DEPTH}", "file"),
        Limit("Keywords of it that are evaluated within each other", f"{NESTED_KEYWORDS}", "value"),
        Limit("CPU time of checking them, as a last resort", f"{SCHEMA_SECONDS:g} s", "run"),
        Limit("Checking the result of a task", f"{RESULT_SECONDS:g} s of CPU time", "task"),
        Limit("Results of a schema that take longer", f"{RESULT_TIMEOUTS}", "run"),
        Limit(
            "Keywords that a policy evaluates",
            f"{POLICY_STEPS:,}, and {POLICY_STEPS_PER_TASK:,} for each task",
            "run",
        ),
        Limit(
            "CPU time of a policy's regular expressions, as a last resort",
            f"{POLICY_SECONDS:g} s, and {POLICY_SECONDS_PER_TASK * 1000:g} ms for each task",
            "run",
        ),
        *_of_responses(),
    )


def _of_responses() -> tuple[Limit, ...]:
    return (
        Limit("Concurrent requests (`--parallelism`)", f"{PARALLELISM}", "run"),
        Limit("A response of the service, decompressed", _mib(RESPONSE_BYTES), "response"),
        Limit(
            "Commas, colons and brackets between the texts of a response",
            f"{RESPONSE_VALUES:,}",
            "response",
        ),
        Limit(f"Responses above {_mib(SMALL_RESPONSE_BYTES)} in memory", "1", "run"),
        Limit("Entries of a page of a list", f"{PAGE_ENTRIES:,}", "response"),
        Limit("The token of a page", f"{PAGE_TOKEN_CHARACTERS:,} characters", "response"),
        Limit("Pages of the list of tasks", f"{LIST_PAGES:,}", "lookup"),
        Limit("Pages of the events of a task", f"{EVENT_PAGES}", "task"),
        Limit("Reading them", f"{EVENT_SECONDS:g} s", "task"),
        Limit(
            "What is kept of responses, in memory",
            f"{_mib(KEPT_BYTES)}, and twice {KEPT_BYTES_PER_TASK // 1024} KiB for each task",
            "lookup",
        ),
        Limit(
            "Open requests, open tool calls, and attached pull requests", f"{SUMMARY_ITEMS}", "task"
        ),
    )
