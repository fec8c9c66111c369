"""The code of each diagnostic: one per cause, numbered by area (contract, section 3)."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What a diagnostic is about. Its wording and its page are in `reconciler.messages`.

    TC1xx text and YAML, 2xx schema, 3xx entries and expansion, 4xx prompts and credentials,
    5xx policy and budget, 6xx state and lock, 7xx service and identity, 8xx usage and
    configuration. A published code never changes its meaning and is never reused.
    """

    UNCLASSIFIED = "TC000"  # transitional: a sentence that has no code yet

    STATE_LOCK_LOST = "TC611"

    UNREACHABLE = "TC701"
    CERTIFICATE = "TC702"
    PROXY = "TC703"
    NO_RESPONSE = "TC704"
    UNAUTHORIZED = "TC705"
    FORBIDDEN = "TC706"
    NOT_FOUND = "TC707"
    RATE_LIMITED = "TC708"
    SERVICE_FAILED = "TC709"
    REQUEST_REJECTED = "TC710"
    NOT_THE_SERVICE = "TC711"
    REDIRECTED = "TC712"
    UNREADABLE_RESPONSE = "TC713"
    UNREADABLE_LIST = "TC714"
    IMPLAUSIBLE_DATE = "TC715"
    INVALID_BACKEND = "TC716"
    PULUMI_SETTING_SKIPPED = "TC717"
    MISSING_CREDENTIALS = "TC718"
    PULUMI_FILE = "TC719"
    INVALID_NAME = "TC720"
    TASK_BUSY = "TC731"
    TASK_GONE = "TC732"
    NOT_THE_CREATOR = "TC733"
    DELIVERY_UNKNOWN = "TC734"
    DELIVERY_REJECTED = "TC735"

    INVALID_DURATION = "TC801"

    LOCAL_DATABASE = "TC871"
    LISTEN_ADDRESS = "TC872"
    OPEN_SERVER = "TC873"
