"""Progress, notes and questions that a command writes to stderr while it runs, as values.

They are not part of its result: `-q` silences them, and JSON documents do not contain them. Their
wording is in `messages/notes.md` and `messages/questions.md`.
"""

from __future__ import annotations

from enum import StrEnum


class Note(StrEnum):
    """A note."""

    # Sources, shown with -v
    BACKEND = "backend"
    BACKEND_NOTE = "backend_note"
    STATE = "state"
    TOKEN = "token"  # noqa: S105 - no token is named here
    ORGANIZATION_STEP = "organization_step"
    ORGANIZATION = "organization"
    NO_CACHE = "no_cache"
    POLICY = "policy"
    CONFIG = "config"
    NO_BUDGET = "no_budget"

    # Plan and apply
    NEW_STATE = "new_state"
    NO_APPLY_YET = "no_apply_yet"
    NEW_STATE_IN_SCOPE = "new_state_in_scope"
    LOCKED = "locked"
    LOCKED_CHECK = "locked_check"
    WITHOUT_CREDENTIALS = "without_credentials"
    PLAN_SAVED = "plan_saved"
    EMPTY_PLAN_SAVED = "empty_plan_saved"
    EXPECT_PLAN = "expect_plan"
    PROMPT_FIXED = "prompt_fixed"
    NOT_CREATED = "not_created"
    STOPPING = "stopping"
    HELD = "held"
    NOT_WAITED = "not_waited"

    # The embedded service
    SERVING = "serving"

    # Tasks after their creation
    STOPPED_WAITING = "stopped_waiting"
    TIMED_OUT = "timed_out"
    TASK_STATUS = "task_status"
    TASK_FAILED = "task_failed"
    TASK_WAITS = "task_waits"
    TASK_ASKS = "task_asks"
    TASK_PARKED_CLI = "task_parked_cli"
    TASK_PARKED_WORKER = "task_parked_worker"
    LOOKING_AGAIN = "looking_again"
    LAST_WORDS = "last_words"
    LAST_STATUS = "last_status"
    NOTHING_SENT = "nothing_sent"
    REQUEST = "request"
    REQUESTS_DONE = "requests_done"
    UNKNOWN_REPLY = "unknown_reply"
    NO_TASKS_IN_PATH = "no_tasks_in_path"
    NOTIFIED = "notified"
    NOT_NOTIFIED = "not_notified"

    # Import
    NEXT = "next"
    DRY_RUN = "dry_run"

    # Files of init and fmt
    BELOW_ROOT = "below_root"
    FORMATTED = "formatted"


class Question(StrEnum):
    """A question. If it is asked with `strict`, only `yes` is accepted, otherwise also `y`."""

    CREATE = "ask.create"
    CHANGE = "ask.change"
    RECREATE = "ask.recreate"
    CREATED = "ask.created"
    APPROVE = "ask.approve"
    REJECT = "ask.reject"
    ANSWER = "ask.answer"
    REPLY = "ask.reply"
    INSTEAD = "ask.instead"
    SAY = "ask.say"
    MOVE = "ask.move"
    REMOVE = "ask.remove"
    ACCEPT = "ask.accept"
    CANCEL = "ask.cancel"
    FORCE_CANCEL = "ask.force_cancel"
