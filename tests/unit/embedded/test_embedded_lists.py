"""Lists of tasks: visibility, every order, pages, filters, and invalid requests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.embedded_client import Api, Clock

ORDERS = ("lastEvent", "created", "status", "name", "tokensUsed")


def ids(pages: list[list[dict[str, object]]]) -> list[str]:
    return [str(task["id"]) for page in pages for task in page]


def spread(api: Api, clock: Clock) -> list[str]:
    """Tasks of several ages, states, names and prompts; some at the same millisecond."""
    made = []
    for number in range(12):
        made.append(api.create("word " * (number % 4 + 1)))
        clock.forward(0 if number % 3 else 4)
    api.patch(made[0], name="alpha")
    api.patch(made[7], name="Zulu")
    api.cancel(made[11])
    return made


def test_private_tasks_are_visible_only_to_their_creator(api: Api, other: Api) -> None:
    task_id = api.create()
    assert other.list().json == {"tasks": []}
    path = f"{other.tasks}/{task_id}"
    assert other.call("GET", path).status == 404
    assert other.patch(task_id, isShared=True).status == 404
    assert other.respond(task_id, type="user_cancel").status == 404
    assert other.call("GET", path + "/events").status == 404
    assert other.cancel(task_id).status == 404


def test_shared_tasks_are_visible_to_others(api: Api, other: Api) -> None:
    task_id = api.create()
    api.patch(task_id, isShared=True)
    assert ids(other.pages()) == [task_id]
    assert other.task(task_id) == api.task(task_id)
    assert other.events(task_id) == api.events(task_id)
    assert other.patch(task_id, name="theirs").status == 404  # they can only read it
    assert other.respond(task_id, type="user_cancel").status == 404
    assert other.cancel(task_id).status == 404
    api.patch(task_id, isShared=False)
    assert ids(other.pages()) == []


def test_organizations_are_separate(api: Api) -> None:
    task_id = api.create()
    elsewhere = Api(api.app, api.token, org="other-org")
    assert ids(elsewhere.pages()) == []
    assert elsewhere.call("GET", f"{elsewhere.tasks}/{task_id}").status == 404


@pytest.mark.parametrize("sort_by", ORDERS)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_small_pages_give_the_same_tasks_as_one_page(
    api: Api, clock: Clock, sort_by: str, direction: str
) -> None:
    made = spread(api, clock)
    order = {"sortBy": sort_by, "sortDirection": direction}
    (whole,) = api.pages(pageSize=1000, **order)
    small = api.pages(pageSize=5, **order)
    assert [len(page) for page in small] == [5, 5, 2]
    assert ids(small) == ids([whole])
    assert sorted(ids(small)) == sorted(made)
    if sort_by in ("status", "name", "tokensUsed"):
        values = [task[sort_by] for task in whole]
        keys = values if sort_by == "tokensUsed" else [str(value).lower() for value in values]
        assert keys == sorted(keys, reverse=direction == "desc")


def test_sorting_by_creation_is_supported(api: Api, clock: Clock) -> None:
    made = spread(api, clock)
    assert ids(api.pages(sortBy="created", sortDirection="asc", pageSize=5)) == made
    assert ids(api.pages(sortBy="created", pageSize=5)) == made[::-1]


def test_the_default_order_is_by_last_event(api: Api, clock: Clock) -> None:
    first, second = api.create(), api.create()
    clock.forward(20)
    api.respond(first, type="user_message", content="More.")
    assert ids(api.pages()) == [first, second]


def test_a_clock_change_does_not_affect_paging(api: Api, clock: Clock) -> None:
    made = [api.create() for _ in range(3)]
    clock.forward(6)
    made += [api.create() for _ in range(3)]
    for sort_by in ORDERS:
        query: dict[str, object] = {"sortBy": sort_by, "pageSize": 2}
        seen: list[str] = []
        token: dict[str, object] = {}
        for _ in range(3):
            answer = api.list(**query, **token).json
            seen += [task["id"] for task in answer["tasks"]]
            token = {"continuationToken": answer.get("continuationToken")}
            clock.forward(3)
        assert sorted(seen) == sorted(made)


def test_new_tasks_do_not_affect_paging(api: Api) -> None:
    made = [api.create() for _ in range(4)]
    page = api.list(sortBy="created", pageSize=2).json
    api.create()
    rest = api.list(sortBy="created", continuationToken=page["continuationToken"]).json
    assert [task["id"] for task in page["tasks"] + rest["tasks"]] == made[::-1]


def test_a_full_last_page_has_no_next_page(api: Api) -> None:
    for _ in range(4):
        api.create()
    assert [len(page) for page in api.pages(pageSize=2)] == [2, 2]


def test_a_page_has_a_hundred_tasks_by_default(api: Api) -> None:
    for _ in range(101):
        api.create()
    assert [len(page) for page in api.pages()] == [100, 1]


def test_the_filter_of_types(api: Api) -> None:
    plain, scheduled = api.create(), api.create(source="schedule")

    def found(**query: Any) -> list[str]:
        return ids(api.pages(sortBy="created", sortDirection="asc", **query))

    assert found(taskType="async") == [scheduled]
    assert found(taskType="sync") == [plain]
    assert found(taskType="") == [plain, scheduled]


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": 0},
        {"pageSize": 1001},
        {"pageSize": -1},
        {"pageSize": "ten"},
        {"pageSize": "1e2"},
        {"pageSize": ""},
        {"pageSize": "9" * 400},
        {"sortBy": "age"},
        {"sortDirection": "up"},
        {"taskType": "late"},
        {"continuationToken": "next"},
        {"continuationToken": "%%%"},
        {"continuationToken": "bnVsbA"},
    ],
)
def test_invalid_list_requests_are_rejected(api: Api, query: dict[str, object]) -> None:
    answer = api.list(**query)
    assert answer.status == 400
    assert next(iter(query)) in answer.message


def test_a_page_token_is_valid_only_for_its_own_list(api: Api) -> None:
    task_id = api.create()
    api.create()
    token = api.list(sortBy="created", pageSize=1).json["continuationToken"]
    assert api.list(sortBy="name", continuationToken=token).status == 400
    assert api.list(sortBy="created", sortDirection="asc", continuationToken=token).status == 400
    assert (
        api.call("GET", f"{api.tasks}/{task_id}/events", query=[("continuationToken", token)])
    ).status == 400


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=6),
    )
)
def test_a_made_up_page_token_is_rejected_or_harmless(api: Api, value: object) -> None:
    token = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    assert api.list(continuationToken=token or "x").status == 400
    crafted = json.dumps(["lastEvent", "desc", value, 1, 1]).encode()
    token = base64.urlsafe_b64encode(crafted).decode()
    assert api.list(continuationToken=token).status in (200, 400)
