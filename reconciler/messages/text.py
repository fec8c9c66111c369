"""TC1xx: text and YAML."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_QUOTE = "quote it if it is text"

ENTRIES = {
    Code.UNREADABLE_FILE: Entry(
        title="Unreadable file",
        why="A file that cannot be read is never treated as an empty or missing one.",
        fix="Check the path, the type of the file and its permissions.",
        cases={
            "": Message(
                "cannot read: {reason}", "A PATH is a manifest or a directory of manifests."
            ),
            "prompt": Message(
                "cannot read {file:q}: {reason}",
                "The path is relative to the directory of the manifest.",
            ),
            "name": Message("{file:q} is not a valid file name on this system"),
            "policy": Message("cannot read the policy set in {config}: {reason}"),
            "plan": Message(
                "cannot read the plan file: {reason}",
                "To create one, run:",
                "taskctl plan -o FILE",
            ),
            "program": Message("no such file"),
        },
    ),
    Code.FILE_TOO_LARGE: Entry(
        title="File too large",
        why="Limits on the size of a file keep a mistake, or a hostile file, from using up the "
        "memory of the machine.",
        fix="Split a manifest into several files. Shorten a prompt, or name a document that the "
        "agent can read instead.",
        cases={
            "": Message("the file is larger than {limit} MiB", "Split it into several files."),
            "prompt": Message("the file is larger than {limit} KiB, more than a model can read"),
            "data": Message("the file is larger than {limit} KiB", "Use several axes or entries."),
        },
    ),
    Code.INVALID_ENCODING: Entry(
        title="Invalid encoding",
        why="Manifests and prompt files are UTF-8. Any other encoding would be read as different "
        "text.",
        fix="Save the file as UTF-8.",
        cases={
            "": Message("byte {byte} is not UTF-8; save the file as UTF-8"),
            "utf-16": Message("the file is UTF-16; save it as UTF-8"),
        },
    ),
    Code.INVALID_CHARACTER: Entry(
        title="Invalid character",
        why="An invisible character, or one that the service cannot store, would change a prompt "
        "without anybody seeing it.",
        fix="Remove the character. In YAML, a double-quoted text can contain it as an escape, such "
        'as `"\\N"`.',
        cases={
            "": Message("invalid character {character}"),
            "escape": Message("invalid character {character}; in double quotes, write {escape}"),
            "unsendable": Message("`\\0` and lone surrogates cannot be sent to the service"),
            "unwritable": Message("contains a character that a manifest cannot hold"),
        },
    ),
    Code.INVALID_YAML: Entry(
        title="Invalid YAML",
        why="A manifest is one YAML 1.2 document. What does not parse is never guessed at.",
        fix="Correct the line. Quote text that contains `: `, ` #`, or starts with one of "
        "``[ ] { } & * ! | > ' \" % @ ` ``; write long text as a block that starts with `|`.",
        cases={
            "": Message(f"invalid YAML; {_QUOTE}"),
            "colon": Message("invalid YAML: unexpected `:`; quote the text that contains it"),
            "list": Message("invalid YAML: expected `,` or `]` in a list that starts with `[`"),
            "mapping": Message(
                "invalid YAML: expected `,` or `}}` in a mapping that starts with `{{`"
            ),
            "quote": Message("invalid YAML: missing closing quote"),
            "escape": Message(
                "invalid YAML: unknown escape after `\\`; write `\\\\` for a backslash"
            ),
            "key": Message("invalid YAML: expected `:` after a key"),
            "indentation": Message("invalid YAML: wrong indentation, or a key without `:`"),
            "item": Message("invalid YAML: wrong indentation, or an item without `-`"),
            "dash": Message("invalid YAML: unexpected `-`; start the list on its own line"),
            "question": Message("invalid YAML: unexpected `?`; quote the text that contains it"),
            "tab": Message("invalid YAML: unexpected tab; indent with spaces"),
            "block": Message("invalid YAML: expected only `+`, `-` and a number after `|` or `>`"),
            "value": Message(
                "invalid YAML: expected a value; quote text that starts with a special character"
            ),
            "tag": Message("invalid YAML: invalid tag; quote text that starts with `!`"),
            "document": Message("invalid YAML: expected the end of the document, or `---`"),
            "directive": Message(
                "invalid YAML: invalid directive; quote text that starts with `%`"
            ),
            "template": Message("invalid YAML: quote text that contains `{{{{`"),
            "start": Message("invalid YAML: text cannot start with `{character}`; quote it"),
        },
    ),
    Code.DUPLICATE_KEY: Entry(
        title="Duplicate key",
        why="Of two equal keys in a mapping, one would be ignored silently.",
        fix="Rename or remove one of them.",
        cases={"": Message("duplicate key, first defined on line {first_line}")},
    ),
    Code.INVALID_KEY: Entry(
        title="Invalid key",
        why="All keys of a manifest are text.",
        fix="Write the key as text, without a tag.",
        cases={
            "collection": Message("a key must be text, not a mapping or a list"),
            "template": Message("YAML reads `{{{{` as a mapping; quote the text"),
            "tag": Message("a key cannot have the tag `{tag}`"),
        },
    ),
    Code.INVALID_TAG: Entry(
        title="Invalid tag",
        why="A manifest uses the types of JSON. Tags for other types, and tags that contradict "
        "their value, are errors.",
        fix="Remove the tag.",
        cases={
            "": Message("unexpected tag `{tag}`; remove it"),
            "mismatch": Message("the value does not match its tag `{tag}`"),
        },
    ),
    Code.INVALID_NUMBER: Entry(
        title="Invalid number",
        why="JSON, the format of the service, cannot represent the number.",
        fix="Quote it if it is text.",
        cases={
            "digits": Message(f"the number has {{digits}} digits; {_QUOTE}"),
            "large": Message(f"the number {{text}} is too large; {_QUOTE}"),
            "special": Message(f"JSON cannot represent the number {{text}}; {_QUOTE}"),
        },
    ),
    Code.INVALID_ALIAS: Entry(
        title="Invalid alias",
        why="An alias (`*name`) repeats the value of an anchor (`&name`) above it.",
        fix="Define the anchor before the alias, and outside of the value that the alias repeats.",
        cases={
            "name": Message(
                "the name of an anchor or alias has only letters, digits, `-` and `_`; quote text "
                "that starts with `&` or `*`"
            ),
            "key": Message("an alias cannot be a key; write the key itself"),
            "unknown": Message("`*{alias}` has no anchor `&{alias}` above it"),
            "recursive": Message("`*{alias}` is inside the value of its anchor"),
        },
    ),
    Code.EXCESSIVE_NESTING: Entry(
        title="Excessive nesting",
        why="A manifest needs few levels; the limit keeps a hostile file from exhausting memory.",
        fix="Write the values less deeply.",
        cases={"": Message("nested more than {limit} levels deep")},
    ),
    Code.EXCESSIVE_ALIASES: Entry(
        title="Excessive aliases",
        why="Aliases of aliases can expand a small file to any size.",
        fix="Write out the values.",
        cases={
            "": Message("aliases expand to far more than the file contains; write out the values")
        },
    ),
    Code.EMPTY_DOCUMENT: Entry(
        title="Empty document",
        why="An empty file is more likely a mistake than a manifest without tasks.",
        fix="Start a manifest with `version: 1`. A manifest without tasks has `tasks: {}`.",
        cases={"": Message("the file is empty; start a manifest with `version: 1`")},
    ),
    Code.MULTIPLE_DOCUMENTS: Entry(
        title="Multiple documents",
        why="A manifest is one document. A second one would be ignored silently.",
        fix="Move it to a file of its own.",
        cases={"": Message("second document; move it to a file of its own")},
    ),
    Code.UNSUPPORTED_YAML_VERSION: Entry(
        title="Unsupported YAML version",
        why="The same text means different things in YAML 1.1 and 1.2. Manifests are YAML 1.2.",
        fix="Remove the `%YAML` line.",
        cases={"": Message("YAML {version} is not supported; remove the %YAML line")},
    ),
    Code.OUTSIDE_REPOSITORY: Entry(
        title="Path outside of the repository",
        why="A file or link in a repository must not make taskctl read or overwrite anything else "
        "on the machine, or the tokens in `.git`: anyone who can change the repository could "
        "choose it.",
        fix="Move the file into the repository, and not into `.git`. Replace a link by the file.",
        cases={
            "prompt": Message(
                "the path leads out of the repository",
                "A prompt or data file must be in the repository of its manifest, not in .git.",
            ),
            "prompt-directory": Message(
                "the path leads out of the working directory",
                "Outside of a repository, a prompt or data file must be in the working directory.",
            ),
            "manifest": Message(
                "a link leads out of the repository",
                "Manifests must be in the repository. Pass the path that the link leads to, if "
                "that is what you mean.",
            ),
            "manifest-directory": Message(
                "a link leads out of the working directory",
                "Outside of a repository, manifests must be in the working directory. Pass the "
                "path that the link leads to, if that is what you mean.",
            ),
            "import": Message(
                "manifest: a link leads out of the repository, to {target}",
                "Name another file, or print the manifest with --dry-run.",
            ),
            "report": Message(
                "the {format} report was not written: a link leads out of the repository, to "
                "{target}",
                "Everything else was done. Remove the link, or choose another file: "
                "--report {format}=FILE",
            ),
            "state": Message(
                "a link leads out of the repository, to {target}",
                "A state may be elsewhere only if you name it: use --state or TASKCTL_STATE.",
            ),
            "cache": Message(
                "a link leads out of the repository, to {target}",
                "taskctl keeps its cache here. Remove the link:",
                "rm .taskctl",
            ),
            "manifest-git": Message("a link leads into .git, which may contain credentials"),
            "prompt-git": Message(
                "the path leads into .git, which may contain credentials",
                "A prompt or data file must be in the repository of its manifest, not in .git.",
            ),
        },
    ),
    Code.AMBIGUOUS_YAML: Entry(
        title="Ambiguous YAML",
        why="The text is legal YAML, but parsers read it differently, or as something that its "
        "author hardly meant.",
        fix="Quote the text, or write it more plainly.",
        cases={
            "question": Message(
                "`?` starts a key here; quote the text that starts with it, or write `key: value`"
            ),
            "colon": Message("text that ends with `:` must be quoted; is a space missing?"),
            "end": Message(
                "white space at the end of the file belongs to the last text; remove it"
            ),
        },
    ),
    Code.UNSAFE_EDIT: Entry(
        title="Unsafe edit",
        why="taskctl reads back every file that it changes. If the result would mean anything "
        "else, it leaves the file unchanged.",
        fix="Write the lines more plainly, or edit the file by hand.",
        cases={
            "format": Message(
                "cannot format the file without changing its meaning; left unchanged",
                "The manifest is valid. Write the lines from here on more plainly, or exclude the "
                "file.",
            ),
            "link": Message(
                "not formatted: a link leads to this file",
                "Pass the path of the file itself.",
            ),
            "insert": Message(
                "cannot add tasks to this file safely; left unchanged",
                "A manifest written with {{ }}, such as JSON, cannot be extended. Add the tasks to "
                "another file: --write tasks/imported.yaml",
            ),
        },
    ),
}
