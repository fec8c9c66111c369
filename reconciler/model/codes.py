"""The code of each diagnostic: one per cause, numbered by area (contract, section 3)."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Code(StrEnum):
    """What a diagnostic is about. Its wording and its page are in `reconciler.messages`.

    TC1xx text and YAML, 2xx schema, 3xx entries and expansion, 4xx prompts and credentials,
    5xx policy and budget, 6xx state and lock, 7xx service and identity, 8xx usage and
    configuration. A published code never changes its meaning and is never reused.
    """

    UNCLASSIFIED = "TC000"  # transitional: a sentence that has no code yet

    # Text and YAML
    UNREADABLE_FILE = "TC101"
    FILE_TOO_LARGE = "TC102"
    INVALID_ENCODING = "TC103"
    INVALID_CHARACTER = "TC104"
    INVALID_YAML = "TC105"
    DUPLICATE_KEY = "TC106"
    INVALID_KEY = "TC107"
    INVALID_TAG = "TC108"
    INVALID_NUMBER = "TC109"
    INVALID_ALIAS = "TC110"
    EXCESSIVE_NESTING = "TC111"
    EXCESSIVE_ALIASES = "TC112"
    EMPTY_DOCUMENT = "TC113"
    MULTIPLE_DOCUMENTS = "TC114"
    UNSUPPORTED_YAML_VERSION = "TC115"
    OUTSIDE_REPOSITORY = "TC116"
    UNSAFE_EDIT = "TC117"
    AMBIGUOUS_YAML = "TC118"

    # Schema
    UNKNOWN_PROPERTY = "TC201"
    MISSING_PROPERTY = "TC202"
    WRONG_TYPE = "TC203"
    INVALID_VALUE = "TC204"
    EMPTY_VALUE = "TC205"
    VALUE_TOO_LONG = "TC206"
    MERGE_KEY = "TC207"
    NOT_A_MANIFEST = "TC208"
    CONFLICTING_PROPERTIES = "TC209"

    # Entries and expansion
    DUPLICATE_TASK = "TC301"
    DUPLICATE_TASK_ID = "TC302"
    INVALID_MOVE = "TC303"
    DUPLICATE_WORK = "TC304"
    INVALID_DATA = "TC310"
    INVALID_TEMPLATE = "TC311"
    INVALID_GENERATED_KEY = "TC312"
    DUPLICATE_GENERATED_KEY = "TC313"
    TOO_MANY_TASKS = "TC314"
    TOO_FEW_TASKS = "TC315"
    INVALID_MATCHER = "TC316"
    INVALID_RECURRENCE = "TC317"

    # Prompts and credentials
    BLANK_PROMPT = "TC401"
    CREDENTIAL = "TC402"
    NO_APPROVER = "TC405"
    NO_EXECUTOR = "TC406"

    # Policy and budget
    POLICY_VIOLATION = "TC501"
    INVALID_POLICY = "TC502"
    POLICY_REFERENCE = "TC503"

    # State and lock
    STATE_LOCK_LOST = "TC611"

    # Service and identity
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

    # Usage and configuration
    INVALID_DURATION = "TC801"
    NO_MANIFESTS = "TC802"
    UNKNOWN_CODE = "TC803"
    USAGE = "TC804"
    INVALID_CONFIG = "TC805"
    FORBIDDEN_SETTING = "TC806"
    CONFIRMATION_REQUIRED = "TC807"
    DECLINED = "TC808"
    INTERRUPTED = "TC809"
    CANNOT_READ = "TC810"
    CANNOT_WRITE = "TC811"
    LINK_OUT = "TC812"
    OS_ERROR = "TC813"
    INTERNAL_ERROR = "TC814"
    INVALID_TIME = "TC815"
    NO_ORGANIZATION = "TC816"
    NO_SUCH_TASK = "TC817"
    NO_TASK_YET = "TC818"
    WRONG_TASK = "TC819"
    NO_APPROVAL = "TC820"
    SEVERAL_APPROVALS = "TC821"
    STILL_BUSY = "TC822"
    NOT_DECLARED = "TC823"
    PLAN_EXCEEDED = "TC824"
    MORE_PROBLEMS = "TC830"
    IMPORT_TARGET = "TC840"
    IMPORT_ID = "TC841"
    IMPORT_MINE = "TC842"
    IMPORT_OPEN_ATTEMPT = "TC843"
    IMPORT_SENSITIVE = "TC844"
    IMPORT_MAY_EXIST = "TC845"
    IMPORT_LEFT_OUT = "TC846"
    IMPORT_SOURCE = "TC847"
    IMPORT_NOT_PLAIN = "TC848"
    IMPORT_IGNORED = "TC849"
    LOCAL_DATABASE = "TC871"
    LISTEN_ADDRESS = "TC872"
    OPEN_SERVER = "TC873"
