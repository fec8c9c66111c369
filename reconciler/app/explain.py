"""The use case `explain`: a code, or the list of all codes."""

from __future__ import annotations

import difflib

from reconciler.messages import entry
from reconciler.messages.explanation import codes, messages_of, section, title
from reconciler.model.codes import Code
from reconciler.model.errors import TaskctlError
from reconciler.render.json import dump, json_document


def explain(given: str | None, *, as_json: bool) -> str:
    """The explanation of a code, in either case, or the list of all codes; as text or JSON.

    Raises TaskctlError for a code that does not exist."""
    if given is None:
        return _list_document() if as_json else _list_text()
    code = _code(given)
    if as_json:
        found = entry(code)
        return dump(
            json_document(
                code=code.value,
                title=found.title,
                why=found.why,
                fix=found.fix,
                messages=messages_of(code),
            )
        )
    return f"{code.value}: {title(code)}\n\n{section(code)}"


def _code(given: str) -> Code:
    known = {code.value: code for code in codes()}
    name = given.upper()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=given, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=given)


def _list_text() -> str:
    return "".join(f"{code.value}  {title(code)}\n" for code in codes())


def _list_document() -> str:
    listed = [{"code": code.value, "title": title(code)} for code in codes()]
    return dump(json_document(codes=listed))
