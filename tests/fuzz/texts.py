"""Any answer of an agent gives data or a reason, and nothing that controls a terminal or a log."""

from __future__ import annotations

from reconciler.model.typed_json import encode_json
from reconciler.render.safe import block, line
from reconciler.tasks.results import NoData, data_in, first_line
from tests.support.escaping import commands_in, invisible_in


def check_answer(content: bytes) -> None:
    answer = content.decode("utf-8", "replace")
    found = data_in(answer)
    assert isinstance(found, NoData) or encode_json(found)
    for shown, allowed in ((line(first_line(answer)), set()), (block(answer), {"\n"})):
        assert invisible_in(shown) <= allowed
        assert commands_in(shown) == []
