"""The calls from one package of taskctl into another while a command runs."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import reconciler

PACKAGE = Path(reconciler.__file__).parent


class TracedCall(NamedTuple):
    """A call, direct or through a library, of a function in another package. Modules are named
    without `reconciler.`."""

    caller: str
    caller_name: str
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.caller}:{self.caller_name} -> {self.module}:{self.name}"


class CallTrace:
    """`calls` has the calls between packages since `recorded` was entered, in the order in which
    they began, of this thread and of those that it started."""

    def __init__(self) -> None:
        self.calls: list[TracedCall] = []
        self._modules: dict[str, str] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Only functions, not the bodies of modules and classes, nor generators: who reads what one
        yields does not call it."""
        before = sys.getprofile()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(before)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not (module := self._module_of(frame)):
            return
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            return
        above = frame.f_back
        while above is not None and not self._module_of(above):
            above = above.f_back
        if above is None or frame.f_code.co_name == "<module>":
            return
        caller = self._module_of(above)
        if caller.partition(".")[0] != module.partition(".")[0]:
            names = above.f_code.co_qualname, frame.f_code.co_qualname
            self.calls.append(TracedCall(caller, names[0], module, names[1]))

    def _module_of(self, frame: FrameType) -> str:
        """The module of a function of taskctl; otherwise empty."""
        file = frame.f_code.co_filename
        if file not in self._modules:
            path = Path(file)
            is_ours = path.is_relative_to(PACKAGE)
            parts = path.relative_to(PACKAGE).with_suffix("").parts if is_ours else ()
            self._modules[file] = ".".join(parts)
        return self._modules[file]
