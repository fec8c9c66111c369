"""Progress, notes and questions that a command writes to stderr while it runs.

They are not part of its result: `-q` silences them, and JSON documents do not contain them.
"""

from __future__ import annotations

from enum import StrEnum


class Note(StrEnum):
    """A note; its value is the template (`messages/template.py`)."""

    # Where things come from: shown with -v.
    BACKEND = "backend: {name} (from {source})"
    BACKEND_NOTE = "note: {text}"
    STATE = "state: {path}"
    TOKEN = "token: from {source}"  # noqa: S105 - no token is named here
    ORGANIZATION_STEP = "organization: {step}"
    ORGANIZATION = "organization: {value} (from {source})"
    NO_CACHE = (
        "cache: none, because its directory is in the repository, or others have access to it"
    )
    POLICY = "policy: {file}"
    CONFIG = "config: {file}"
    NO_BUDGET = "budget: none for {org}: {why}"

    # Plan and apply
    NEW_STATE = "No state at {path}: looking for existing tasks."
    NO_APPLY_YET = (
        "No apply of all manifests has completed on {path} yet: looking for existing tasks."
    )
    NEW_STATE_IN_SCOPE = (
        "Only the tasks in the given PATHs are looked for. If the state was lost, run apply once "
        "without PATHs, or with --adopt all."
    )
    LOCKED = "The state is locked by {holder}. Waiting for it to be released."
    LOCKED_CHECK = "The state is locked by {holder}. Checking whether that run is still active."
    WITHOUT_CREDENTIALS = "Skipped: no access token. Set PULUMI_ACCESS_TOKEN to see the plan."
    PLAN_SAVED = "Saved the plan. To apply exactly this plan, run:\n    taskctl apply {file:file}"
    EMPTY_PLAN_SAVED = "Saved the plan. Apply would make no changes."
    EXPECT_PLAN = "To apply exactly this plan, run:\n    {command:cmd}"
    PROMPT_FIXED = (
        "note: the edited prompt of {keys:and} has no effect, because the task exists. To create a "
        "new task with it, run:\n    taskctl apply --replace {first:key}"
    )
    NOT_CREATED = "Nothing was created."
    STOPPING = (
        "\nStopping: waiting for in-flight requests to finish. "
        "Press Ctrl-C again to exit immediately.\n"
    )
    HELD = "Once the tasks that the held tasks wait for are done, run:\n    taskctl apply"
    NOT_WAITED = "Not waiting for the tasks, because apply did not succeed."

    SERVING = (
        "Open this address in a browser, or pass it as --backend, with {token} as "
        "PULUMI_ACCESS_TOKEN. Press Ctrl-C to stop."
    )

    # Tasks after their creation
    STOPPED_WAITING = (
        "\nStopped waiting. The tasks keep running. To see them, run:\n    taskctl status\n"
    )
    TIMED_OUT = "Timed out; some tasks are unfinished. To see them, run:\n    taskctl status"
    TASK_STATUS = "{ref}: {status}"
    TASK_FAILED = "{ref}: {status} ({words})"
    TASK_WAITS = (
        "{ref}: {status} for approval. To respond, run one of:\n    taskctl approve {ref:key}\n"
        "    taskctl reject {ref:key} -m TEXT"
    )
    TASK_ASKS = (
        "{ref}: {status} for an answer. To answer, run:\n    taskctl approve {ref:key} -m TEXT"
    )
    TASK_PARKED_CLI = (
        "{ref}: {status} for the result of {tools:and}, which a Pulumi CLI session provides. "
        "To start it, run:\n    pulumi neo resume {task_id:id}"
    )
    TASK_PARKED_WORKER = (
        "{ref}: {status} for the result of {tools:and}, which a worker of the service provides"
    )
    LOOKING_AGAIN = "{problem}; retrying"
    LAST_WORDS = "{ref} is {status}: {words}"
    LAST_STATUS = "{ref} is {status}"
    NOTHING_SENT = "Nothing was sent."
    REQUEST = "Request {number} of {count}{url:paren}"
    REQUESTS_DONE = "{answered} answered, {skipped} skipped, {left} not shown."
    UNKNOWN_REPLY = "unknown answer: {answer}"
    NO_TASKS_IN_PATH = "note: no task is recorded from {path}"

    NOTIFIED = "Notified: {waiting} waiting, {failed} failed."
    NOT_NOTIFIED = "Not notified: {why}."

    # Import
    NEXT = "To see what apply would do next, run:\n    {command}"
    DRY_RUN = "Dry run: {summary:lines}"

    # init and fmt
    BELOW_ROOT = (
        "note: hooks and workflows belong in the root of the repository, {top}. Put them there, "
        "with {below}/tasks for tasks, and run taskctl with -C {below:file}."
    )
    FORMATTED = "{parts}."


SHORTENED = " {count:n} prompt{count:s} {are} shortened; -v shows them."


class Question(StrEnum):
    """A question. If it is asked with `strict`, only `yes` is accepted, otherwise also `y`."""

    CREATE = "{summary:lines}Create {count:n} task{count:s}?{shortened}"
    CHANGE = "{summary:lines}Apply these changes?"
    RECREATE = "{ref}: {note}. Create it again?"
    CREATED = "{ref}: a response was lost, and this task may be the result: {note}. Is it the task?"
    APPROVE = "Approve this request?"
    REJECT = "Reject this request?"
    ANSWER = "Answer (Enter skips, q quits):"
    REPLY = "Approve (y), reject (r), skip (Enter) or quit (q):"
    INSTEAD = "What to do instead (Enter skips):"
    SAY = "Send this message to {refs:and}?"
    MOVE = "Rename {refs:and}?"
    REMOVE = "Remove {refs:and} from the state? The tasks keep running."
    ACCEPT = "Mark the manifest as applied for {refs:and}?"
    CANCEL = "Cancel {ref}?"
    FORCE_CANCEL = "End the session of {ref}?"
