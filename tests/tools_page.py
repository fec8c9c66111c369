"""The live page of `taskctl serve` in a real browser. Run from the root:
`python -m tests.tools_page [FOLDER]`.

With a FOLDER, screenshots are saved there. `make test-tools` runs this.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from reconciler.embedded.app import App
from reconciler.embedded.scenarios import scenario_of
from tests.support.browser import Page, chromium, page
from tests.support.embedded_client import Api, message
from tests.support.embedded_server import running_app
from tests.support.report_strategies import OUTBREAKS
from tests.tools_html import CONTRAST, INJECTED

TEXT = "document.querySelector('main').textContent"
STATES = "[...document.querySelectorAll('.tasks .state')].map((e) => e.textContent)"
EVENTS = "document.querySelectorAll('.events > li').length"
MARKUP = "document.querySelectorAll('img, svg, b, iframe, main script, main style').length"
NARROW = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
ANSWER = "document.querySelector('.answer .text').textContent"
REQUESTS = "[...document.querySelectorAll('a[target=_blank]')].map((a) => a.href)"
REPO = {"type": "repository", "org": "acme", "name": "net", "forge": "github"}
STACK = {"type": "stack", "name": "prod", "project": "network"}


class Checks:
    """One service for all checks; each check uses a token of its own, and so its own tasks."""

    def __init__(self, browser: Page, app: App, url: str, folder: Path) -> None:
        self._browser = browser
        self._app = app
        self._url = url
        self._folder = folder

    def _api(self, token: str) -> Api:
        return Api(self._app, token=token)

    def _open(self, token: str, path: str = "/", *, width: int = 1280, dark: bool = False) -> Page:
        """Opens the page at this path and enters the token."""
        shown = self._browser
        shown.look(width=width, dark=dark)
        shown.said.clear()
        shown.asked.clear()
        shown.visit(f"{self._url}{path}")
        self._enter(token)
        return shown

    def _enter(self, token: str) -> None:
        self._browser.until("document.activeElement.id === 'token'")
        self._browser.type(token)
        self._browser.press("Enter", "\r", 13)

    def _is_quiet(self) -> None:
        """Whether there were no errors and no requests to other hosts."""
        assert self._browser.said == [], self._browser.said
        own = (f"{self._url}/", "data:")
        assert [url for url in self._browser.asked if not url.startswith(own)] == []

    def shows_tasks_states_and_questions(self) -> None:
        api = self._api("list")
        for prompt in ("Rotate keys", "failing task", "approving task"):
            api.create(prompt)
        shown = self._open("list")
        shown.until(f"{STATES}.join() === 'waiting,failed,done'")
        shown.until(f"{TEXT}.includes('Open requests (1)')")
        shown.until(f"{TEXT}.includes('May I run `pulumi up` on the stack?')")
        api.create("asking: where")
        shown.until(f"{TEXT}.includes('Which region')")
        self._is_quiet()

    def follows_links_without_loading_again(self) -> None:
        task_id = self._api("links").create("approving: upgrade the network")
        shown = self._open("links")
        shown.until(f"{STATES}.length === 1")
        shown.run("window.kept = true; document.querySelector('.tasks a').click()")
        shown.until(f"location.pathname === '/acme/neo/tasks/{task_id}'")
        shown.until("document.querySelectorAll('.events > li.open').length === 1")
        assert shown.run("kept") is True
        shown.run("history.back()")
        shown.until(f"location.pathname === '/' && {STATES}.length === 1")
        self._is_quiet()

    def shows_new_events_as_they_happen(self) -> None:
        api = self._api("live")
        task_id = api.create("approving: upgrade the network")
        shown = self._open("live", f"/acme/neo/tasks/{task_id}")
        shown.until("document.querySelectorAll('.events > li.open').length === 1")
        before = shown.run(EVENTS)
        request = api.events(task_id)[-1]["eventBody"]["id"]
        api.respond(
            task_id,
            type="user_confirmation",
            approval_request_id=request,
            ok=False,
            instructions="Use a preview.",
        )
        shown.until(f"{EVENTS} === {before + 2} && {TEXT}.includes('Understood: Use a preview.')")
        shown.until("document.querySelectorAll('.events > li.open').length === 0")
        shown.until("document.querySelector('dd .state').textContent === 'done'")
        self._is_quiet()

    def a_reload_asks_for_the_token_again(self) -> None:
        self._api("secret-token").create()
        shown = self._open("secret-token")
        shown.until(f"{STATES}.length === 1")
        assert shown.run("localStorage.length + sessionStorage.length") == 0
        assert "secret-token" not in shown.run("document.documentElement.outerHTML + location.href")
        shown.visit(f"{self._url}/")
        shown.until("document.activeElement.id === 'token'")
        assert shown.run("document.querySelector('#token').value") == ""
        self._is_quiet()

    def says_what_cannot_be_seen(self) -> None:
        task_id = self._api("somebody").create()
        shown = self._open("somebody-else", f"/acme/neo/tasks/{task_id}")
        shown.until(f"{TEXT}.includes('Task not found')")
        shown.run("document.querySelector('main a').click()")
        shown.until(f"{TEXT}.includes('no tasks that this token can see')")

    def hostile_text_is_text(self) -> None:
        api = self._api("hostile")
        texts = [one for one in OUTBREAKS if one.strip()]
        task_ids = []
        for one in texts:
            entity = {"type": "policy_issue", "id": one, "name": one}
            made = api.post(message=message(f"delegating {one}", entity_diff={"add": [entity]}))
            task_ids.append(made.json["taskId"])
            api.patch(task_ids[-1], name=one)
        shown = self._open("hostile")
        shown.until(f"{STATES}.length === {len(texts)}")
        names = shown.run("[...document.querySelectorAll('.tasks a')].map((e) => e.textContent)")
        plain = [name.strip() for name in reversed(texts)]
        assert [name.strip() for name in names] == plain
        assert shown.run(MARKUP) == 0
        assert shown.run("document.title") == "taskctl serve"
        for task_id, one in zip(task_ids, texts, strict=True):
            shown.run(f"document.querySelector('a[href$=\"{task_id}\"]').click()")
            shown.until(f"{EVENTS} >= 3")
            assert shown.run(MARKUP) == 0
            said = shown.run("document.querySelector('.events .user .text').textContent")
            assert said == f"delegating {one}"
            shown.run("history.back()")
            shown.until(f"{STATES}.length === {len(texts)}")
        self._is_quiet()

    def shows_pull_requests_and_answers(self) -> None:
        api = self._api("results")
        task_id = api.create('answering ```json {"upgraded": ["aws"]} ```')
        shown = self._open("results")
        shown.until(f"{STATES}.join() === 'done'")
        rows = "[...document.querySelectorAll('.tasks .more')].map((e) => e.textContent)"
        assert shown.run(rows)[1].startswith("acme/network#")
        assert shown.run(rows)[2] == "answering"
        (url,) = shown.run(REQUESTS)
        assert url.startswith("https://github.com/acme/network/pull/")
        shown.run("document.querySelector('.tasks .name a').click()")
        shown.until("!document.querySelector('.answer')?.hidden")
        assert '{"upgraded": ["aws"]}' in shown.run(ANSWER)
        assert shown.run(REQUESTS) == [url]
        assert shown.run(CONTRAST) == []
        shown.picture(self._folder / "answer.png")
        api.respond(task_id, type="user_message", content="failing now")
        shown.until("document.querySelector('.answer').hidden")
        self._is_quiet()

    def hostile_answers_are_text(self) -> None:
        """Markup, control characters, 7 MB, and JSON that is nested 10,000 deep."""
        api = self._api("hostile-answers")
        deep = '```json\n{"a":' + "[" * 10_000 + "]" * 10_000 + "}\n```"
        texts = [one for one in OUTBREAKS if one.strip()] + [deep, "<b>" * 2_400_000]
        task_ids = []
        for one in texts:
            task_ids.append(api.create("approving: upgrade"))
            entity = {**REPO, "name": one[:200]}
            added = {"entity_diff": {"add": [entity]}}
            api.post(message=message("answering ```json\n1\n```", **added))
        shown = self._open("hostile-answers")
        waiting = f"{STATES}.filter((state) => state === 'waiting').length"
        shown.until(f"{waiting} === {len(texts)}")
        for task_id, one in zip(task_ids, texts, strict=True):
            request = api.events(task_id)[-1]["eventBody"]["id"]
            words = {"approval_request_id": request, "ok": False, "instructions": one}
            api.respond(task_id, type="user_confirmation", **words)
        shown.until(f"{STATES}.filter((state) => state === 'done').length === {2 * len(texts)}")
        assert shown.run(MARKUP) == 0
        assert [url for url in shown.run(REQUESTS) if "evil" in url or "github" not in url] == []
        assert shown.run(NARROW) is True
        for task_id, one in zip(task_ids, texts, strict=True):
            shown.run(f"document.querySelector('a[href$=\"{task_id}\"]').click()")
            shown.until("document.querySelector('.answer')?.hidden === false")
            assert shown.run(MARKUP) == 0
            shown.until(NARROW)
            begin = f"Understood: {one}"[:1000]
            assert shown.run(f"{ANSWER}.slice(0, 1000)") == begin
            shown.run("history.back()")
            shown.until(f"{STATES}.length === {2 * len(texts)}")
        self._is_quiet()

    def nothing_else_can_run(self) -> None:
        self._api("injected").create()
        shown = self._open("injected")
        shown.until(f"{STATES}.length === 1")
        assert shown.run(INJECTED) == 0
        assert shown.run("document.title") == "taskctl serve"

    def can_be_read_in_light_and_dark(self) -> None:
        api = self._api("looks")
        diff = {"entity_diff": {"add": [STACK]}}
        answer = 'answering ```json {"upgraded": ["aws", "awsx"], "skipped": []} ```'
        for prompt in ("Rotate every IAM key", "failing drift report", "stopping work", answer):
            api.post(message=message(prompt, **diff))
        task_id = api.create("approving: upgrade the network stack\n\nWord by word.")
        for dark in (False, True):
            for width in (1280, 420):
                name = f"{'dark' if dark else 'light'}-{width}"
                for path, ready in (
                    ("/", f"{STATES}.length === 5 && !{STATES}.includes('running')"),
                    (
                        f"/acme/neo/tasks/{task_id}",
                        "document.querySelectorAll('.events .open').length === 1",
                    ),
                ):
                    shown = self._open("looks", path, width=width, dark=dark)
                    shown.until(ready)
                    shown.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
                    assert shown.run(CONTRAST) == []
                    assert shown.run(NARROW) is True
                    kind = "list" if path == "/" else "task"
                    shown.picture(self._folder / f"{kind}-{name}.png")
                    self._is_quiet()
        self._browser.look(width=420)
        self._browser.visit(f"{self._url}/")
        assert self._browser.run(CONTRAST) == []
        self._browser.picture(self._folder / "token.png")


@contextmanager
def service() -> Iterator[tuple[App, str]]:
    with tempfile.TemporaryDirectory() as folder:
        app = App(Path(folder) / "local.db", scenario=scenario_of("by-prompt", 0.2))
        with closing(app), running_app(app) as url:
            yield app, url


def main(folder: Path) -> int:
    program = chromium()
    assert program, "there is no Chromium"
    failed = 0
    with service() as (app, url), page(program) as browser:
        checks = Checks(browser, app, url, folder)
        for name in [name for name in vars(Checks) if not name.startswith("_")]:
            check: Callable[[], None] = getattr(checks, name)
            begun = time.monotonic()
            try:
                check()
            except AssertionError as problem:
                failed += 1
                print(f"FAILED {name}: {problem!r}")
            else:
                print(f"passed {name} {time.monotonic() - begun:.1f} s")
    return int(failed > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
