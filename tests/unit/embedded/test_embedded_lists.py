"""Lists of tasks: visibility, order, pages, and invalid requests."""

from __future__ import annotations

import pytest

from tests.support.embedded_client import Api, Clock


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


@pytest.mark.parametrize("order", ["", "created"])
def test_pages_have_the_newest_tasks_first(api: Api, clock: Clock, order: str) -> None:
    made = spread(api, clock)
    small = api.pages(pageSize=5, sortBy=order, sortDirection="desc")
    assert [len(page) for page in small] == [5, 5, 2]
    assert ids(small) == made[::-1]


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
        {"sortBy": "lastEvent"},
        {"sortDirection": "asc"},
        {"continuationToken": "next"},
        {"continuationToken": "%%%"},
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
    assert (
        api.call("GET", f"{api.tasks}/{task_id}/events", query=[("continuationToken", token)])
    ).status == 400


@pytest.mark.parametrize("token", ["tasks-1", "tasks-1-2-3", "tasks-1--2", "tasks-1-" + "9" * 19])
def test_a_made_up_page_token_is_rejected(api: Api, token: str) -> None:
    assert api.list(continuationToken=token).status == 400
