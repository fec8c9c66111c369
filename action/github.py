"""The parts of GitHub's API that the action uses: comments, and the pull request of a run."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from reconciler.messages import plain_text
from reconciler.messages.remarks import word_remarks
from reconciler.model.diagnostics import TaskctlError
from reconciler.remote.exchange import NOT_JSON, NoResponseError, Request
from reconciler.remote.responses import answer, reason
from reconciler.remote.retries import RETRIED, RetryPolicy, retry_after
from reconciler.remote.transport import Transport

LIMIT = 65_536  # characters of a comment
PAGES = 100
PER_PAGE = 100
TIMEOUT = 30.0  # seconds
POLICY = RetryPolicy(tries=4, base=2.0, total=60.0)
HEADERS = {
    "Accept": "application/vnd.github+json",
    "User-Agent": "taskctl-action",
    "X-GitHub-Api-Version": "2022-11-28",
}


class GitHubError(Exception):
    """A request failed. With `may_retry`, it may succeed later, after `wait` seconds if GitHub says
    so."""

    def __init__(self, text: str, *, may_retry: bool = False, wait: float | None = None) -> None:
        super().__init__(text)
        self.may_retry, self.wait = may_retry, wait


PROBLEMS = (GitHubError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of GitHub's methods, also for malformed responses."""


class GitHub:
    """The repository and the event of a run, as GitHub's variables in `env` describe them."""

    def __init__(self, env: Mapping[str, str], token: str) -> None:
        self._env, self._token = env, token
        self._repository = f"/repos/{env.get('GITHUB_REPOSITORY', '')}"

    def event(self) -> dict[str, Any]:
        """The event of the run; empty if it cannot be read."""
        try:
            event = json.loads(Path(self._env["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        except (KeyError, OSError, ValueError):
            return {}
        return event if isinstance(event, dict) else {}

    def pull_request(self, *, or_issue: bool = False) -> int | None:
        """The number of the event's pull request, or with `or_issue` also of its issue."""
        event = self.event()
        issue = event.get("issue") or {}
        about = event.get("pull_request") or (issue if or_issue or "pull_request" in issue else {})
        number = about.get("number")
        return number if isinstance(number, int) else None

    def pull_request_of_commit(self) -> int | None:
        """The number of the only pull request with the commit of the run."""
        found = self._call("GET", f"{self._repository}/commits/{self._env['GITHUB_SHA']}/pulls")
        return int(found[0]["number"]) if len(found) == 1 else None

    def changed_files(self, number: int) -> set[str]:
        """The files that a pull request changes."""
        files = self._pages(f"{self._repository}/pulls/{number}/files")
        return {os.path.normpath(str(file["filename"])) for file in files}

    def comment(self, number: int, marker: str, text: str) -> str:
        """Writes the comment that starts with the line `marker`, cut at a line if it is too long.
        Returns "created" or "updated".

        A retry starts with the search, because a failed request may have created the comment.
        """
        body = f"{marker}\n{text}"
        if len(body) > LIMIT:
            body = body[:LIMIT].rpartition("\n")[0]
        tried = 0
        while True:
            tried += 1
            try:
                return self._upsert(number, marker, {"body": body})
            except GitHubError as problem:
                wait = POLICY.wait(tried, 0.0, problem.wait, random.uniform)
                if wait is None or not problem.may_retry:
                    raise
                time.sleep(wait)

    def _upsert(self, number: int, marker: str, body: object) -> str:
        try:
            login = self._call("GET", "/user")["login"]
        except GitHubError as problem:
            if problem.may_retry:
                raise
            login = None  # a workflow's token belongs to no user
        comments = f"{self._repository}/issues/{number}/comments"
        for comment in self._pages(comments):
            author = comment.get("user") or {}
            ours = author.get("login") == login if login else author.get("type") == "Bot"
            if ours and str(comment.get("body", "")).startswith(marker):
                self._call("PATCH", f"{self._repository}/issues/comments/{comment['id']}", body)
                return "updated"
        self._call("POST", comments, body)
        return "created"

    def _pages(self, path: str) -> Iterator[Any]:
        for number in range(1, PAGES + 1):
            page = self._call("GET", f"{path}?per_page={PER_PAGE}&page={number}")
            yield from page
            if len(page) < PER_PAGE:
                return

    @cached_property
    def _transport(self) -> Transport:
        try:
            url = self._env.get("GITHUB_API_URL", "https://api.github.com")
            return Transport(url, self._token, headers=HEADERS)
        except TaskctlError as problem:
            raise GitHubError(plain_text(problem.diagnostics[0])) from problem

    def _call(self, method: str, path: str, body: object = None) -> Any:
        scrub, data = self._transport.scrub, None if body is None else json.dumps(body).encode()
        try:
            response = self._transport.send_once(Request(method, path, data), TIMEOUT)
        except NoResponseError as lost:
            why = word_remarks([reason(lost, scrub)]).note
            raise GitHubError(f"no response from GitHub's API: {why}", may_retry=True) from lost
        if 200 <= response.status < 300 and response.data is not NOT_JSON:
            return response.data
        wait = retry_after(response.headers, datetime.now(UTC))
        may_retry = wait is not None or response.status in RETRIED
        text = f"GitHub's API returned {word_remarks([answer(response, scrub)]).note}"
        raise GitHubError(text, may_retry=may_retry, wait=wait)
