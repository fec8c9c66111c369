"""TC2xx: the manifest schema."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.UNKNOWN_PROPERTY: Entry(
        title="Unknown property",
        why="An unknown property would be ignored silently, and the task would not have the "
        "setting that its author meant.",
        fix="Correct the name, move the property to where it belongs, or remove it. "
        "`taskctl schema` prints all properties.",
        cases={
            "": Message("unknown property", "Known: {known:list}."),
            "similar": Message("unknown property; did you mean `{near}`?"),
            "task": Message("belongs to a task, or under `defaults`"),
            "top": Message("belongs at the top of the file"),
            "entry": Message("needs `forEach` or `every`, which make an entry of the task"),
            "no-default": Message("belongs to one task and cannot have a default"),
            "timestamp": Message("cannot be set; taskctl sets it to find each create again"),
        },
    ),
    Code.MISSING_PROPERTY: Entry(
        title="Missing property",
        why="The value is required.",
        fix="Add the property.",
        cases={
            "": Message("required"),
            "version": Message("required; add `version: 1`"),
            "tasks": Message("required; a manifest without tasks has `tasks: {{}}`"),
            "message": Message("required unless `taskID` is set"),
            "every": Message("required by `{name}`"),
            "forEach": Message("required by `{name}`"),
            "axis": Message("required: at least one name with its values"),
            "content": Message("required; add the prompt, or its file as `contentFile`"),
        },
    ),
    Code.WRONG_TYPE: Entry(
        title="Wrong type",
        why="A value of another type would not be what the service expects. Scalars follow YAML "
        "1.2: `on`, `no` and `1_000` are text; `10` and `true` are not.",
        fix="Write a value of the right type. Quote text that looks like a number or a boolean.",
        cases={
            "": Message("must be {kinds:or}, not {value}"),
            "null": Message("is empty; must be {kinds:or}"),
            "unquoted": Message("must be {kinds:or}, not {value}; quote it"),
            "yaml-1.1": Message(
                "must be {kinds:or}; {value} is text in YAML 1.2, write `{boolean}`"
            ),
        },
    ),
    Code.INVALID_VALUE: Entry(
        title="Invalid value",
        why="The property does not allow the value.",
        fix="Use one of the values that the message names.",
        cases={
            "": Message("invalid value {value} ({rule})"),
            "choice": Message("must be {choices:or}, not {value}"),
            "choice-similar": Message("must be {choices:or}, not {value}; did you mean `{near}`?"),
            "const": Message("must be {wants}, not {value}"),
            "pattern": Message("{rule}; not {value}"),
            "minimum": Message("must be {limit} or more, not {value}"),
            "maximum": Message("must be {limit} or less, not {value}"),
        },
    ),
    Code.EMPTY_VALUE: Entry(
        title="Empty value",
        why="An empty or blank text is more likely a mistake than a value, and the service "
        "rejects entities with blank names.",
        fix="Add the text, or remove the property.",
        cases={
            "": Message("is empty"),
            "blank": Message("is blank"),
            "entity": Message("is blank; the service rejects such an entity"),
        },
    ),
    Code.VALUE_TOO_LONG: Entry(
        title="Value too long",
        why="The service stores no longer text there.",
        fix="Shorten the text.",
        cases={"": Message("has {length} characters; at most {limit} are allowed")},
    ),
    Code.MERGE_KEY: Entry(
        title="Merge key",
        why="Merge keys (`<<`) are not part of YAML 1.2.",
        fix="Put the settings that tasks share under `defaults`.",
        cases={"": Message("YAML 1.2 has no merge keys; put what tasks share under `defaults`")},
    ),
    Code.NOT_A_MANIFEST: Entry(
        title="Not a manifest",
        why="The file has neither `version` nor `tasks`. It may be some other YAML file.",
        fix="Pass taskctl the manifests, or the directory that contains only manifests.",
        cases={
            "": Message(
                "not a manifest: it has neither `version` nor `tasks`",
                "Pass taskctl the manifests, or the directory that contains them.",
            )
        },
    ),
    Code.CONFLICTING_PROPERTIES: Entry(
        title="Conflicting properties",
        why="The two properties exclude each other.",
        fix="Keep one of them: the prompt as `content`, or its file as `contentFile`.",
        cases={"": Message("conflicts with `content`; keep one of them")},
    ),
}
