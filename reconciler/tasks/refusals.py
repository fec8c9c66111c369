"""Why a task did not take what it was told, in words: busy, gone, or somebody else's. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.task import Identity, TaskRef


@dataclass(frozen=True, slots=True)
class Sent:
    """The service took it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The service said no. `words` are its own."""

    status: int
    words: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came, or none that says anything: the task may have been told."""

    why: str


Outcome = Sent | Refusal | Lost


@dataclass(frozen=True, slots=True)
class Told:
    """What was to be told, by whom, and whose task it is."""

    ref: TaskRef
    what: str
    maker: Identity | None
    caller: Identity


def problem(outcome: Refusal | Lost, told: Told) -> Diagnostic:
    """What was wrong, and what to do next."""
    ref = told.ref
    if isinstance(outcome, Lost):
        return _error(
            told,
            f"{told.what} was sent, and no answer came ({outcome.why})",
            f"The task may have it. See, before sending it again:\n    taskctl logs {ref}",
        )
    words = f" ({outcome.words})" if outcome.words else ""
    match outcome.status:
        case 409:
            return _error(
                told,
                f"the task is busy: it takes nothing before it is idle{words}",
                "Wait for it, or stop what it does:\n"
                f"    taskctl wait {ref}\n    taskctl cancel {ref}",
            )
        case 404 if told.caller.same_as(told.maker):
            return _error(
                told,
                f"the task is gone: the service has it no more{words}",
                "Nobody can tell it anything now. See what a new one would take:\n    taskctl plan",
            )
        case 403 | 404:
            return _others(told, words)
        case 401:
            return _error(
                told,
                f"the access token was not accepted{words}",
                "It may have expired. Set PULUMI_ACCESS_TOKEN to one that is valid.",
            )
        case 429:
            return _error(
                told, f"the service asks to slow down{words}", "Run it again in a minute."
            )
    return _error(
        told,
        f"the service refused {told.what}{words or f' ({outcome.status})'}",
        f"See how the task stands:\n    taskctl status {ref}",
    )


def _others(told: Told, words: str) -> Diagnostic:
    maker = told.maker
    whose = f" ({name_of(maker)} made it)" if maker and not told.caller.same_as(maker) else ""
    return _error(
        told,
        f"the task is somebody else's{whose}: {name_of(told.caller)} may not do this{words}",
        "Only who created a task may tell it something. Use a token of theirs.",
    )


def name_of(identity: Identity) -> str:
    """As a person knows them."""
    return identity.login or identity.id


def _error(told: Told, summary: str, detail: str) -> Diagnostic:
    return error(f"{told.ref}: {summary}", detail, key=told.ref.key)
