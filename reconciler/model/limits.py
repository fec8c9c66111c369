"""All limits on input that taskctl does not trust. `tools/limits_page.py` has the table of them.

Each is per run unless its row says otherwise, and admits the largest input that makes sense. Limits
are counts wherever possible, never times: a busy machine must not change a result. If only a time
can stop a check, it ends without a result.
"""

from __future__ import annotations

MIB = 1 << 20

MANIFEST_BYTES = 8 * MIB
MANIFESTS_BYTES = 64 * MIB
TASKS = 20_000
GLOBS = 1_000
ORGANIZATIONS = 100
AXES = 10
MATCHED_NAMES = 100
NAMED_FILE_BYTES = 1 * MIB
CONFIG_BYTES = 1 * MIB
FOLDER_DEPTH = 100
PATH_CHARACTERS = 4_096
SAVED_PLAN_BYTES = 160 * MIB
CACHED_FILE_BYTES = 200 * MIB
STORED_DEPTH = 120  # YAML and responses are limited to 100

LOCAL_DATABASE_BYTES = 2048 * MIB
STATE_FILE_BYTES = 2048 * MIB
STATE_BYTES = 512 * MIB
STATE_PART_BYTES = 256 * MIB
STATE_HEAD_BYTES = 4 * MIB
STATE_TREE_BYTES = 4 * MIB
STATE_FETCH_BYTES = 1600 * MIB
GIT_OBJECT_BYTES = 512 * MIB
GIT_HOST_BYTES = 50_000_000
OUTPUT_BYTES = 2 * 1024
GIT_LIST_SECONDS = 30.0
GIT_LIST_BYTES = 64 * MIB

YAML_DEPTH = 100
ALIAS_VALUES = 4_000_000
TASK_FINDINGS = 16
FILE_ERRORS = 10_000

GENERATED_BYTES = 64 * MIB

SCHEMA_BYTES = 256 * 1024
SCHEMA_VALUES = 50_000
SCHEMA_DEPTH = 50
NESTED_KEYWORDS = 200
CHECK_SECONDS = 6.0  # for the policy and all schemas of `expect` together
RESULT_SECONDS = 2.0
RESULT_TIMEOUTS = 3

POLICY_STEPS = 200_000  # plus one for each byte of a manifest
POLICY_STEPS_PER_TASK = 50  # that an entry generates

PARALLELISM = 256
DEFAULT_PARALLELISM = 10

RESPONSE_BYTES = 8 * MIB
RESPONSE_VALUES = 250_000
SMALL_RESPONSE_BYTES = 1 * MIB
LIST_PAGES = 2_000
LIST_SECONDS = 600.0
PAGE_ENTRIES = 1_000
PAGE_TOKEN_CHARACTERS = 4_096
EVENT_PAGES = 200
EVENT_SECONDS = 30.0
KEPT_BYTES = 64 * MIB
KEPT_BYTES_PER_TASK = 16 * 1024
SUMMARY_ITEMS = 200
