"""The html report in a real browser. Run from the root: `python -m tests.tools_html [FOLDER]`.

With a FOLDER, screenshots are saved there. `make test-tools` runs this.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.app.ui import FailureReport
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import Report, render
from reconciler.render.style import Style
from tests.support.browser import Page, chromium, page
from tests.support.diagnostics import error, warning
from tests.support.plan_sample import PLAN, desired
from tests.support.report_strategies import OUTBREAKS

SHOWN = "[...document.querySelectorAll('li[data-word]:not([hidden])')].map((i) => i.dataset.word)"
STATUS = "document.querySelector('.found').textContent"
CONTRAST = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgb(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    if (element.closest("script, .visually-hidden, [hidden]")) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(under(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent}`);
  }
  return low;
})()
"""
INJECTED = """
(() => {
  const tried = [
    () => { const s = document.createElement("script"); s.textContent = "document.title = 'broken'";
      document.body.append(s); },
    () => document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=document.title='no'>"),
    () => eval("document.title = 'broken'"),
  ];
  return tried.filter((one) => { try { one(); return true; } catch { return false; } }).length;
})()
"""


def hostile() -> Plan:
    """A report with a task for each injection attempt, in every field."""
    tasks = [
        PlannedTask(
            TaskRef(text, f"{text}{action.value}"),  # keys are unique in a plan
            action,
            Reason.CHANGED,
            file=text,
            line=3,
            remarks=(remark("orphaned", ref=text), remark("apply.unknown", why=text)),
            task_id=text,
            diff=(
                Change(text, text, text + "!", Origin.BOTH),
                Change("message.content", f"a\n{text}\nb", f"a\n{text} c\nb", Origin.MANIFEST),
            ),
            desired=desired("a", text, [{"type": text}], name=text),
        )
        for text in OUTBREAKS
        for action in (Action.CREATE, Action.CHANGED)
    ]
    problem = error("\n".join(OUTBREAKS), "\n".join(OUTBREAKS), file=OUTBREAKS[8])
    return Plan(OUTBREAKS[9], tuple(OUTBREAKS), tuple(tasks), diagnostics=(problem,))


def many(number: int) -> Plan:
    tasks = [
        replace(PLAN.tasks[n % len(PLAN.tasks)], ref=TaskRef("acme", f"task-{n:05}"))
        for n in range(number)
    ]
    return replace(PLAN, tasks=tuple(tasks))


class Checks:
    def __init__(self, browser: Page, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def open(self, report: Report, *, width: int = 1280, **look: bool) -> Page:
        """Opens the report in a new page, without messages or requests so far."""
        file = self._folder / "page.html"
        file.write_text(render("html", report, Style()), encoding="utf-8")
        self._browser.look(width=width, **look)
        self._browser.said.clear()
        self._browser.asked.clear()
        self._browser.open(file)
        return self._browser

    def quiet(self) -> None:
        """Whether there were no errors and no requests but that for the page."""
        assert self._browser.said == [], self._browser.said
        assert [url for url in self._browser.asked if not url.startswith(("file:", "data:"))] == []
        assert sum(url.startswith("file:") for url in self._browser.asked) == 1

    def filters_by_action(self) -> None:
        shown = self.open(PLAN)
        everything = shown.run(SHOWN)
        assert len(everything) == len(PLAN.tasks)
        shown.run("document.querySelector('button[data-word=create]').click()")
        assert shown.run(SHOWN) == ["create", "create"]
        assert shown.run(STATUS) == "2 of 10 tasks shown"
        shown.run("document.querySelector('button[data-word=unchanged]').click()")
        assert shown.run(SHOWN) == ["create", "create", "unchanged", "unchanged"]
        assert shown.run("document.querySelector('.rest').open") is True
        for word in ("create", "unchanged"):
            shown.run(f"document.querySelector('button[data-word={word}]').click()")
        assert shown.run(SHOWN) == everything
        self.quiet()

    def filters_by_text_with_the_keyboard(self) -> None:
        shown = self.open(PLAN)
        shown.press("/", "/", 191)
        assert shown.run("document.activeElement.id") == "search"
        shown.type("SAVINGS plans")
        shown.until(f"{STATUS} === '1 of 10 tasks shown'")
        assert shown.run(SHOWN) == ["changed"]
        shown.type(" nowhere")
        shown.until("!document.querySelector('#none').hidden")
        shown.press("Escape", code=27)
        shown.until(f"{SHOWN}.length === 10")
        shown.run("document.querySelector('button[data-word=gone]').focus()")
        shown.press(" ", " ", 32)
        assert shown.run(SHOWN) == ["gone"]
        shown.run("document.querySelector('li[data-word=gone] summary').focus()")
        shown.press("Enter", "\r", 13)
        assert shown.run("document.querySelector('li[data-word=gone] details').open") is False
        self.quiet()

    def folds_and_unfolds(self) -> None:
        shown = self.open(PLAN)
        opened = "document.querySelectorAll('li[data-word] details[open]').length"
        shown.run("document.querySelector('[data-open=false]').click()")
        assert shown.run(opened) == 0
        shown.run("document.querySelector('[data-open=true]').click()")
        assert shown.run(opened) == len(PLAN.tasks)
        self.quiet()

    def reads_without_its_script(self) -> None:
        shown = self.open(PLAN, script=False)
        text = shown.run("document.querySelector('main').textContent")
        assert shown.run("document.querySelectorAll('li[data-word] details[open]').length") == 8
        for word in ("rotate-iam-keys", "break-glass", "reserved instances"):
            assert word in text, word
        hidden = "[...document.querySelectorAll('[data-js]')].every((e) => e.hidden)"
        assert shown.run(hidden) is True

    def hostile_text_is_text(self) -> None:
        report = hostile()
        shown = self.open(report)
        title = shown.run("document.title")
        assert title.endswith("- taskctl plan")
        assert shown.run(f"{SHOWN}.length") == len(report.tasks)
        assert shown.run("document.querySelectorAll('img, svg, iframe').length") == 0
        # Expected: a count per action, the organizations, and the identity.
        ours = sum(bool(number) for number in report.summary().values())
        ours += bool(report.organizations()) + (report.identity is not None)
        found = shown.run("[...document.querySelectorAll('b')].map((b) => b.outerHTML)")
        assert len(found) == ours, found
        shown.run("document.querySelector('button[data-word=changed]').click()")
        assert shown.run(f"{SHOWN}.length") == len(OUTBREAKS)
        assert shown.run("document.title") == title
        self.quiet()

    def nothing_else_can_run(self) -> None:
        shown = self.open(FailureReport((error("no token"), warning("odd"))))
        title = shown.run("document.title")
        assert shown.run(INJECTED) == 0
        assert shown.run("document.title") == title

    def can_be_read_in_light_and_dark(self) -> None:
        mixed = replace(PLAN, diagnostics=(error("a", "b", file="c.yaml"), warning("d")))
        for dark in (False, True):
            for width in (1280, 420):
                shown = self.open(mixed, width=width, dark=dark)
                shown.run("document.querySelector('.rest').open = true")
                shown.run("document.querySelector('button[data-word=create]').ariaPressed = 'true'")
                assert shown.run(CONTRAST) == []
                wide = (
                    "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
                )
                assert shown.run(wide) is True
                name = f"{'dark' if dark else 'light'}-{width}.png"
                shown.run(
                    "document.querySelector('button[data-word=create]').ariaPressed = 'false'"
                )
                shown.picture(self._folder / name)
                self.quiet()

    def ten_thousand_tasks(self) -> None:
        shown = self.open(many(10_000))
        shown.run("document.querySelector('#search').value = 'task-09999'")
        shown.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
        shown.until(f"{SHOWN}.length === 1")
        self.quiet()


def main(folder: Path) -> int:
    program = chromium()
    assert program, "there is no Chromium"
    failed = 0
    with page(program) as browser:
        checks = Checks(browser, folder)
        for name in [name for name, member in vars(Checks).items() if _is_check(name, member)]:
            check: Callable[[], None] = getattr(checks, name)
            begun = time.monotonic()
            try:
                check()
            except AssertionError as problem:
                failed += 1
                print(f"FAILED {name}: {problem!r} line {_line(problem)}")
            else:
                print(f"passed {name} {time.monotonic() - begun:.1f} s")
    return int(failed > 0)


def _is_check(name: str, member: Any) -> bool:
    return callable(member) and not name.startswith("_") and name not in ("open", "quiet")


def _line(problem: BaseException) -> int:
    trace = problem.__traceback__
    while (
        trace is not None
        and trace.tb_next is not None
        and "tools_html" in (trace.tb_next.tb_frame.f_code.co_filename)
    ):
        trace = trace.tb_next
    return trace.tb_lineno if trace is not None else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
