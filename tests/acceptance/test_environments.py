"""Environments: one entry in several organizations, each with its own job and token."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.embedded.app import App
from reconciler.embedded.wsgi import ApiError, error_response
from tests.support.embedded_client import Api
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import ROOT

DEV, PROD = f"pul-{'d' * 40}", f"pul-{'e' * 40}"
ORGANIZATIONS = {DEV: "acme-dev", PROD: "acme"}
ENTRY = """
  upgrade:
    forEach: {env: [{name: dev, org: acme-dev}, {name: prod, org: acme}]}
    orgName: "{{ env.org }}"
    rollout: {pilot: [{env: {name: dev}}]}
    message: finishing the upgrade of {{ env.name }}
"""
HELD, CREATED = ("held", "pilot"), ("create", "new")


def write(place: LiveTasks, tasks: str, head: str = "", name: str = "all") -> Path:
    path = place.folder / "tasks" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"version: 1\n{head}tasks: {tasks}")
    return path


def planned(place: LiveTasks, *more: str) -> dict[str, tuple[str, str]]:
    tasks = place.document("plan", *more)["tasks"]
    return {f"{t['orgName']}/{t['key']}": (t["action"], t["reason"]) for t in tasks}


class Jobs:
    """One job for each organization: what it sent, and with which token it runs."""

    def __init__(self, place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self._patch, self.sent = place, monkeypatch, list[tuple[str, str, str]]()
        self.status = 403
        answer = App.__call__

        def respond(app: App, environ: Any, start_response: Any) -> Any:
            token = environ["HTTP_AUTHORIZATION"].removeprefix("token ")
            parts = environ["PATH_INFO"].split("/")
            org = {"preview": parts[4:5], "orgs": parts[3:4]}.get(parts[2], [])
            if token in ORGANIZATIONS and org:
                self.sent.append((token, org[0], environ["REQUEST_METHOD"]))
                if org[0] != ORGANIZATIONS[token]:
                    refused = error_response(ApiError(self.status, "not your organization"))
                    start_response(refused.status_line, list(refused.headers))
                    return refused.chunks
            return answer(app, environ, start_response)

        monkeypatch.setattr(App, "__call__", respond)

    def use(self, token: str) -> None:
        self._patch.setenv("PULUMI_ACCESS_TOKEN", token)

    def apply(self, token: str, *more: str) -> tuple[int, str, str]:
        """The commands of the job of the token's organization."""
        return self.run(token, "apply", "--yes", "--target", f"{ORGANIZATIONS[token]}/*", *more)

    def run(self, token: str, command: str, *more: str) -> tuple[int, str, str]:
        """A command in the job of the token's organization. Elsewhere, it only lists tasks, and
        only in an apply or a plan, in case the state was lost."""
        self.use(token)
        self.sent.clear()
        ended = self.place.run(command, *more)
        elsewhere = [method for _, org, method in self.sent if org != ORGANIZATIONS[token]]
        assert elsewhere == ["GET"] * len(elsewhere)
        assert not elsewhere or command in ("apply", "plan")
        return ended

    @property
    def created(self) -> list[str]:
        """The organizations in which the last command created tasks."""
        return [org for _, org, method in self.sent if method == "POST"]


@pytest.fixture
def jobs(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    write(place, ENTRY)
    return Jobs(place, monkeypatch)


# Manifests


def test_values_of_the_manifest_choose_the_organization(place: LiveTasks) -> None:
    write(place, ENTRY)
    assert place.validated() == (0, "")
    dev, prod = "acme-dev/upgrade@dev", "acme/upgrade@prod"
    assert planned(place) == {dev: CREATED, prod: HELD}
    code, out, err = place.run("apply", "--yes", "--wait", "--interval", "100ms")
    assert code == 0, out + err
    assert planned(place) == {dev: ("unchanged", "same"), prod: ("unchanged", "same")}


@pytest.fixture
def example(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Its manifest is examples/environments.yaml, whose tasks wait for nobody here."""
    text = (ROOT / "examples/environments.yaml").read_text()
    write(place, "{}\n").write_text(text.replace("approvalMode: manual", "approvalMode: auto"))
    return Jobs(place, monkeypatch)


def test_the_example_is_applied_first_in_one_organization(example: Jobs) -> None:
    assert example.place.validated() == (0, "")
    for token, org in ORGANIZATIONS.items():
        code, out, err = example.apply(token, "--wait", "--interval", "100ms")
        assert (code, example.created) == (0, [org] * 2), out + err


def test_the_jobs_for_gitlab_apply_one_organization_after_the_other(example: Jobs) -> None:
    text = (ROOT / "examples/ci/gitlab-organizations.yml").read_text(encoding="utf-8")
    ci = YAML(typ="safe", pure=True).load(text)
    for stage, (token, org) in zip(ci["stages"][1:], ORGANIZATIONS.items(), strict=False):
        job = ci[stage]
        assert (job["extends"], job["stage"]) == (".apply", stage)
        assert job["id_tokens"]["PULUMI_ID_TOKEN"] == {"aud": f"urn:pulumi:org:{org}"}
        exchange, _, command = job["script"]
        assert f"/pulumi_token.py {org} " in exchange
        code, out, err = example.run(token, *shlex.split(command)[1:], "--interval", "100ms")
        assert (code, example.created) == (0, [org] * 2), out + err


LIST = "forEach: {env: [{name: dev, org: acme-dev}, {name: prod, org: acme}]}"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("forEach: {env: {file: ../e.yaml}}\n    orgName: '{{ env.org }}'", "TC311"),
        ("forEach: {env: {file: ../e.yaml}}\n    orgName: 'acme{{ env }}'", "TC311"),
        ("every: day\n    orgName: 'acme-{{ period.name }}'", "TC311"),
        (f"{LIST}\n    every: day\n    orgName: 'a{{{{ previous.end }}}}'", "TC311"),
        (f"{LIST}\n    orgName: '{{{{ env.ogr }}}}'", "TC311"),
        (f"{LIST}\n    orgName: '{{{{ env }}}}'", "TC311"),
        ("forEach: {env: [{name: a, org: b}, {name: c}]}\n    orgName: '{{ env.org }}'", "TC311"),
        ("forEach: {env: [{name: a, org: ''}]}\n    orgName: '{{ env.org }}'", "TC204"),
        ("forEach: {env: [{name: a, org: 'b/c'}]}\n    orgName: '{{ env.org }}'", "TC204"),
        ("forEach: {env: [{name: a, org: null}]}\n    orgName: '{{ env.org }}'", "TC310"),
        ("forEach: {env: [a]}\n    orgName: '{{ \"{{\" }}'", "TC204"),
        ("forEach: {env: [a]}\n    orgName: null", "TC203"),
    ],
)
def test_an_organization_that_is_not_certain_is_an_error(
    place: LiveTasks, entry: str, said: str
) -> None:
    """A data file or the calendar must not choose it, and a row without one creates nothing."""
    (place.folder / "e.yaml").write_text("[{name: dev, org: acme-dev}, {name: prod, org: acme}]\n")
    write(place, f"\n  upgrade:\n    {entry}\n    message: finishing\n", "orgName: acme\n")
    code, err = place.validated()
    assert (code, f"[{said}]" in err) == (1, True), err
    assert place.run("apply", "--yes")[0] == 1
    assert place.api.pages() == [[]]


def test_an_entry_in_after_means_its_tasks_in_the_same_organization(place: LiveTasks) -> None:
    check = """
  check:
    forEach: {env: [{name: dev, org: acme-dev}, {name: prod, org: acme}]}
    orgName: "{{ env.org }}"
    after: [upgrade]
    message: finishing the check of {{ env.name }}
"""
    place.time.stop()
    alone = ENTRY.replace("    rollout: {pilot: [{env: {name: dev}}]}\n", "")
    alone = alone.replace("finishing the upgrade of {{ env.name }}", "'{{ env.word }} it'")
    alone = alone.replace("org: acme-dev}", "org: acme-dev, word: finishing}")
    write(place, alone.replace("org: acme}", "org: acme, word: slow}") + check)
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(0.1)
    found = planned(place)
    assert found["acme-dev/check@dev"] == CREATED
    assert found["acme/check@prod"] == ("held", "after")
    # All of its tasks are elsewhere: nothing would ever be waited for.
    write(place, f"{ENTRY}  last: {{message: x, after: [upgrade], orgName: other}}\n")
    code, err = place.validated()
    assert (code, "[TC320]" in err) == (1, True)
    nothing = ENTRY.replace("env: [{name: dev, org: acme-dev}, {name: prod, org: acme}]", "env: []")
    nothing = nothing.replace("env: []", "env: [], atLeast: 0")
    write(place, f"{nothing}  last: {{message: x, after: [upgrade], orgName: other}}\n")
    assert place.validated() == (0, "")


def test_pilots_in_other_organizations_can_be_part_of_a_cycle(place: LiveTasks) -> None:
    envs = "{env: [{name: dev, org: acme-dev, %s: %s}, {name: prod, org: acme, %s: %s}]}"
    entry = """
  %s:
    forEach: %s
    orgName: "{{ env.org }}"
    rollout: {pilot: [{env: {name: %s}}]}
    after: ["{{ env.first }}"]
    message: finishing %s of {{ env.name }}
"""
    one = envs % ("first", "b@dev", "first", "free-2")
    two = envs % ("first", "free-1", "first", "a@prod")
    free = "  free-1: {message: x, orgName: acme-dev}\n  free-2: {message: x, orgName: acme}\n"
    write(place, entry % ("a", one, "dev", "a") + entry % ("b", two, "prod", "b") + free)
    code, err = place.validated()
    assert (code, "a@dev, b@dev, b@prod, a@prod" in err) == (1, True), err


def test_removed_acts_in_the_organization_of_its_manifest(place: LiveTasks) -> None:
    write(place, ENTRY)
    assert place.run("apply", "--yes", "--wait", "--interval", "100ms")[0] == 0
    write(place, "{}\n", "orgName: acme-dev\nremoved: ['upgrade@*']\n", "dev")
    assert "[TC305]" in place.validated()[1]
    write(place, "{}\n")
    found = planned(place)
    assert found["acme-dev/upgrade@dev"] == ("forget", "listed")
    assert found["acme/upgrade@prod"] == ("orphaned", "removed")


# One job and one token for each organization


def test_each_job_acts_in_its_organization_and_counts_the_others_by_their_records(
    jobs: Jobs,
) -> None:
    place = jobs.place
    place.time.stop()
    code, out, err = jobs.apply(PROD)
    assert (code, jobs.created) == (0, []), out + err
    assert "waiting for the pilot: acme-dev/upgrade@dev (not created yet)" in out
    assert jobs.apply(DEV)[0] == 0
    assert jobs.created == ["acme-dev"]
    place.time.advance(1)
    assert jobs.apply(PROD)[0] == 0
    assert jobs.created == []  # nothing has recorded the success yet
    assert jobs.apply(DEV)[0] == 0
    assert jobs.created == []
    assert jobs.apply(PROD)[0] == 0
    assert jobs.created == ["acme"]
    for token, org in ORGANIZATIONS.items():
        assert len(Api(place.api.app, token, org).pages()[0]) == 1


def test_a_failure_of_the_pilot_is_no_success_for_another_job(jobs: Jobs) -> None:
    path = jobs.place.folder / "tasks/all.yaml"
    path.write_text(path.read_text().replace("finishing", "failing"))
    assert jobs.apply(DEV, "--wait", "--interval", "100ms")[0] == 1
    jobs.apply(DEV)
    assert jobs.apply(PROD)[0] == 0
    assert jobs.created == []


def test_a_success_counts_for_another_job_until_more_is_expected(jobs: Jobs) -> None:
    assert jobs.apply(DEV, "--wait", "--interval", "100ms")[0] == 0
    path = jobs.place.folder / "tasks/all.yaml"
    before = path.read_text()
    path.write_text(f"{before}    expect: {{pullRequests: 1}}\n")
    assert jobs.apply(PROD)[0] == 0
    assert jobs.created == []
    assert jobs.apply(DEV)[0] == 0  # unmet now
    jobs.apply(PROD)
    assert jobs.created == []
    path.write_text(before)
    assert jobs.apply(PROD)[0] == 0
    assert jobs.created == ["acme"]


def test_a_plan_says_that_apply_records_a_success(jobs: Jobs) -> None:
    """Workflows run apply only if there are changes."""
    jobs.place.time.stop()
    jobs.apply(DEV)
    jobs.use(DEV)
    mine = ("plan", "--target", "acme-dev/*")
    assert jobs.place.document(*mine)["hasChanges"] is False
    jobs.place.time.advance(1)
    assert jobs.place.document(*mine)["hasChanges"] is True
    assert "Apply records that 1 awaited task succeeded." in jobs.place.run(*mine)[1]
    jobs.apply(DEV)
    assert jobs.place.document(*mine)["hasChanges"] is False


def test_a_job_that_waits_records_what_others_wait_for(jobs: Jobs) -> None:
    """So that the next job of the workflow continues at once."""
    code, out, err = jobs.apply(DEV, "--wait", "--interval", "100ms")
    assert (code, jobs.created) == (0, ["acme-dev"]), out + err
    code, out, err = jobs.apply(PROD, "--wait", "--interval", "100ms")
    assert (code, jobs.created) == (0, ["acme"]), out + err
    before = (jobs.place.folder / "taskctl.state.json").read_bytes()
    for token in (DEV, PROD):
        assert jobs.apply(token, "--wait", "--interval", "100ms")[0] == 0
        assert jobs.created == []
    assert (jobs.place.folder / "taskctl.state.json").read_bytes() == before


@pytest.mark.parametrize("status", [403, 404])
def test_a_token_of_one_organization_creates_nothing_in_another(jobs: Jobs, status: int) -> None:
    place, jobs.status = jobs.place, status
    assert jobs.apply(DEV, "--wait", "--interval", "100ms")[0] == 0
    jobs.use(DEV)
    found = planned(place)
    assert found["acme-dev/upgrade@dev"] == ("unchanged", "same")
    assert found["acme/upgrade@prod"] == ("unresolved", "unreadable")
    assert place.run("apply", "--yes")[0] == 1
    assert Api(place.api.app, PROD).pages() == [[]]


@pytest.mark.parametrize("status", [403, 404])
def test_tasks_of_another_organization_are_not_visible(jobs: Jobs, status: int) -> None:
    place, jobs.status = jobs.place, status
    jobs.apply(DEV, "--wait", "--interval", "100ms")
    jobs.apply(PROD, "--wait", "--interval", "100ms")
    jobs.use(DEV)
    for command in ("status", "results"):
        tasks = place.document(command)["tasks"]
        assert {t["key"]: t["status"] for t in tasks} == {
            "upgrade@dev": "done",
            "upgrade@prod": "notVisible",
        }
    assert place.run("status", "acme-dev/*", "--exit-code")[0] == 0
    jobs.use(PROD)
    assert place.run("results", "acme/*", "--exit-code")[0] == 0


def test_apply_names_the_organization_where_a_run_has_several(place: LiveTasks) -> None:
    place.write_tasks(fix={"message": "finishing"}, other={"message": "finishing too"})
    _, out, _ = place.run("apply", "--yes")
    assert "created fix  " in out
    place.write_tasks(
        new={"message": "finishing it"}, there={"message": "finishing", "orgName": "acme-dev"}
    )
    _, out, _ = place.run("apply", "--yes")
    assert "created acme/new  " in out
    assert "created acme-dev/there  " in out
