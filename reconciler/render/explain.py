"""The explanation of diagnostic codes as text and as a document."""

from __future__ import annotations

from reconciler.messages.catalog import entry
from reconciler.messages.explanation import codes, messages_of, section
from reconciler.model.codes import Code


def codes_document() -> dict[str, object]:
    """All codes."""
    from reconciler.render.document import json_document

    return json_document(
        codes=[{"code": code.value, "title": entry(code).title} for code in codes()]
    )


def codes_text() -> str:
    return "".join(f"{code.value}  {entry(code).title}\n" for code in codes())


def code_document(code: Code) -> dict[str, object]:
    from reconciler.render.document import json_document

    found = entry(code)
    return json_document(
        code=code.value,
        title=found.title,
        why=found.why,
        fix=found.fix,
        messages=messages_of(code),
    )


def code_text(code: Code) -> str:
    return f"{code.value}: {entry(code).title}\n\n{section(code)}"
