from __future__ import annotations

from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Reason
from tests.support.plan_sample import PLAN, task

PARAGRAPH = "Look at what was spent and say what stands out, team by team. " * 12
LINES = "\n".join(f"Step {n}: do what has to be done there." for n in range(1, 31))
OTHER = "\n".join(f"{n}. Something else altogether happens now" for n in range(1, 31))


def change(path: str, before: str, after: str) -> Change:
    return Change(path, before, after, Origin.MANIFEST)


REPORT = replace(
    PLAN,
    tasks=(
        task(
            "prose",
            Action.CHANGED,
            Reason.CHANGED,
            diff=(
                change("a.word.in.a.long.line", PARAGRAPH, PARAGRAPH.replace("spent", "used", 1)),
                change("far.apart", LINES, LINES.replace("Step 2:", "2:").replace("29", "28b")),
                change("rewritten", LINES, OTHER),
                change("line.ends", "a\nb", "a\r\nb"),
                change("blanks", "a\nb  \nc", "a\nb\nc"),
                change("last.line.feed", "a\nb", "a\nb\n"),
                change("wide", "日本語の文章です。\n一", "日本語の長い文章です。\n一"),
            ),
        ),
    ),
)
