"""What is known before the service is read: manifests, organizations, periods, options, state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.other_configurations import refuse_shared_manifests
from reconciler.manifest.discovery import normalized, real_names
from reconciler.manifest.loader import Manifests
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    Severity,
    TaskctlError,
)
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, TaskRef, rfc3339
from reconciler.model.value import Value, replace
from reconciler.plan import replacement
from reconciler.plan.ages import AttemptAges
from reconciler.plan.selection import is_in, select, with_entries
from reconciler.plan.steps import Inputs
from reconciler.state.model import State


class Workspace(Value, frozen=True):
    """All manifests of a configuration, with organizations. `scope` are the normalized PATHs, which
    select tasks; `options` include the limit that manifests set."""

    manifests: Manifests
    scope: tuple[str, ...]
    options: PlanOptions

    @property
    def desired(self) -> tuple[DesiredTask, ...]:
        return self.manifests.tasks


def open_workspace(
    ctx: Context, paths: Sequence[str], options: PlanOptions, at: datetime | None = None
) -> Workspace:
    """Reads the manifests, then resolves backend, token and organization. Raises TaskctlError.
    Nothing is sent before all manifests are known to be valid. `at` selects the periods of
    recurring entries, instead of the current time.
    """
    manifests = ctx.read(paths, None if at is None else lambda: at, whole=True)
    refuse_shared_manifests(ctx.settings, manifests.files)
    limits = [n for n in (options.max_creates, manifests.max_creates) if n is not None]
    options = replace(options, max_creates=min(limits, default=None))
    ctx.settle_time = options.settle_time  # a saved plan may have set it
    _ = ctx.location, ctx.client  # in this order, errors about the token come last
    if at is None and manifests.recurrences:
        manifests = _by_both_clocks(ctx, paths, manifests)
    manifests = ctx.with_organizations(manifests)
    scope = tuple(sorted({normalized(path) for path in paths}))
    return Workspace(manifests, scope, options)


def _by_both_clocks(ctx: Context, paths: Sequence[str], manifests: Manifests) -> Manifests:
    """The manifests as of the earlier of this machine's clock, by which they were read, and the
    service's, if those are in different periods. Raises TaskctlError if they are too far apart."""
    _ = ctx.client.identity()  # its response contains the service's time
    machine, service = ctx.clock.now(), ctx.client.service_clock()
    ignored = ctx.client.ignored_date()
    if service is None and ignored is not None:
        date = ignored.args["date"]
        raise TaskctlError.of(Code.CLOCK_SKEW, "apart", service=date, machine=rfc3339(machine))
    if service is None:
        return manifests
    earlier, later = sorted((machine, service))
    recurrences = manifests.recurrences.values()
    if all(recurrence.due(earlier) == recurrence.due(later) for recurrence in recurrences):
        return manifests
    dates = {"service": rfc3339(service), "machine": rfc3339(machine)}
    warning = Diagnostic(Code.CLOCK_SKEW, Severity.WARNING, "periods", dates)
    if any(recurrence.due(earlier) != recurrence.due(machine) for recurrence in recurrences):
        manifests = ctx.read(paths, lambda: earlier, whole=True)
    return replace(manifests, diagnostics=(*manifests.diagnostics, warning))


def refuse_other_periods(ctx: Context, space: Workspace) -> None:
    """Raises TaskctlError if other periods are due now than when the manifests were read."""
    due, now = space.manifests.due, min(ctx.clock.now(), ctx.now())
    due_now = {
        entry: recurrence.due_name(now) for entry, recurrence in space.manifests.recurrences.items()
    }
    if due_now != due:
        over = tuple(sorted({name for entry, name in due.items() if name != due_now[entry]} - {""}))
        raise TaskctlError.of(Code.ROLLOUT_STOPPED, "period", periods=over)


def inputs_of(
    ctx: Context,
    space: Workspace,
    state: State,
    options: PlanOptions,
    *,
    ages: AttemptAges | None = None,
    only: Collection[TaskRef] | None = None,
) -> Inputs:
    """The inputs of a plan for the selected keys, and of those for the keys `only`. `ages`: the
    ages of attempts, as known to an apply; None for `taskctl plan`. Raises TaskctlError for an
    invalid selection. An apply selects once: it closes attempts, and a pattern might match nothing
    later."""
    desired, manifests = space.desired, space.manifests
    in_scope = _scope_of(ctx, space, state) if space.scope else None
    selection = select(options, desired, state, in_scope, manifests.removed)
    options = with_entries(options, desired, state)
    replacement.check_requests(options, desired, state, selection.refs)
    return Inputs(
        desired,
        state,
        options,
        space.scope,
        selection=selection.within(only),
        ages=ages,
        removed=manifests.removed,
        due=manifests.due,
        recurring=manifests.recurring,
        declared_limit=manifests.max_creates,
        may_apply=may_apply(ctx),
    )


def _scope_of(ctx: Context, space: Workspace, state: State) -> Callable[[str], bool]:
    """Whether a manifest file is one of the PATHs, or inside one. Names that are absolute or lead
    through a link count as the real names."""
    files = {task.file for task in space.desired}
    files |= {record.file for record in state.records.values()}
    files |= {attempt.file for attempt in state.attempts.values()}
    real = real_names(ctx.settings.root, [*space.scope, *files])
    scope = [real.get(path, path) for path in space.scope]
    return lambda file: is_in(real.get(file, file), scope)


def may_apply(ctx: Context) -> bool:
    """Whether the configuration lets this user apply; on the embedded service, which starts no
    agents, everybody may."""
    return ctx.backend.is_local or ctx.settings.applies_as(ctx.client.identity())
