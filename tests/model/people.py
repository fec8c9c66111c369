"""The actions of people within the assumptions."""

from __future__ import annotations

from tests.model.service import is_visible
from tests.model.taskctl import state_of
from tests.model.world import GONE, Manifests, Setting, World


def may_apply(world: World, setting: Setting) -> tuple[str, ...]:
    """The users who may apply: after a loss, those who can see all tasks that exist."""
    if not (world.lost and setting.assumed.applies_as_the_same_user_after_a_loss):
        return setting.users
    own = [task for task in world.tasks if task.age != GONE]
    return tuple(w for w in setting.users if all(is_visible(t, w, setting) for t in own))


def is_found(world: World, setting: Setting) -> bool:
    """Whether people know that the state is not lost, or have begun to recover it."""
    is_open = setting.assumed.adopts_after_a_loss and world.lost
    return not is_open or bool(state_of(world.state).recovering)


def may_apply_plainly(world: World, scope: Manifests, setting: Setting) -> bool:
    """Whether people may apply without `--adopt`. After a loss, an unchanged prompt of a task shows
    that there was one."""
    own = [task for task in world.tasks if any(task.owner == each.job for each in scope)]
    unchanged = {(each.job, each.prompt) for each in scope}
    is_shown = not own or any((task.owner, task.prompt) in unchanged for task in own)
    return is_shown or is_found(world, setting)
