"""Births and vfork blocking as a pure state machine: what was seen goes in, orders come out.

A birth has two halves that arrive in either order: the event in the parent and the first stop of the
child. Either task may die before its half is seen; the other must then be neither lost nor held forever
(ptrace(2), "Attaching and detaching"; a parent killed inside its call never announces its child).
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

Cause = Literal["exec", "exit", "killed"]
Blocking = Literal["none", "emulate", "kernel"]


class Request(NamedTuple):
    """A call that may make a task and that was let run.

    `blocking`: whether the parent waits for the child's exec or end, and who makes it wait.
    `stack` is the child's stack pointer (0: the parent's), `stripped` the flag bits taken out of rdi,
    `mask` the parent's blocked signals before the call.
    """

    flags: int
    stack: int = 0
    blocking: Blocking = "none"
    stripped: int = 0
    mask: int = 0


class Born(NamedTuple):
    """A child is ours. `started` is False where it was gone before its first stop, `orphan` is True
    where the parent was gone."""

    parent: int
    child: int
    request: Request
    started: bool = True
    orphan: bool = False


class Block(NamedTuple):
    """The parent waits from now on."""

    parent: int
    child: int


class Release(NamedTuple):
    """The parent's wait is over; `resume` where the supervisor held it."""

    parent: int
    child: int
    cause: Cause
    resume: bool


class Go(NamedTuple):
    """Let this stopped task go on."""

    pid: int


Order = Born | Block | Release | Go


class VforkMachine:
    """Feed it what was seen of tasks; carry out the orders it returns, in their order."""

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}
        self._announced: dict[int, tuple[int, Request]] = {}
        self._early: dict[int, int] = {}
        self._gone_early: dict[int, Cause] = {}
        self._waiting: dict[int, tuple[int, Request]] = {}
        self._lost: deque[tuple[int, Request]] = deque(maxlen=64)
        self._dead_parents: set[int] = set()

    def called(self, parent: int, request: Request) -> list[Order]:
        """A task-making call of `parent` was let run."""
        self._requests[parent] = request
        return []

    def returned(self, parent: int) -> list[Order]:
        """That call ended without an event: it failed, or will be restarted."""
        self._requests.pop(parent, None)
        return self._settle()

    def announced(self, parent: int, child: int) -> list[Order]:
        """The event in the parent. Raises KeyError for a parent that was not let make a task."""
        request = self._requests.pop(parent)
        if child in self._gone_early:
            cause = self._gone_early.pop(child)
            return [*self._born(parent, child, request, started=False), *self.ended(child, cause)]
        if child in self._early:
            del self._early[child]
            return [*self._born(parent, child, request), Go(child), *self._settle()]
        self._announced[child] = (parent, request)
        return self._settle()

    def started(self, child: int, stack: int) -> list[Order]:
        """The first stop of an unknown task, and its stack pointer."""
        if child in self._announced:
            parent, request = self._announced.pop(child)
            return [*self._born(parent, child, request), Go(child)]
        self._early[child] = stack
        return self._settle()

    def execed(self, task: int) -> list[Order]:
        """A successful execve of this task."""
        return self._release(task, "exec")

    def ended(self, task: int, cause: Cause) -> list[Order]:
        """The task is gone. It may be a child that was never seen, a waiting parent, or both."""
        orders: list[Order] = []
        if task in self._announced:
            parent, request = self._announced.pop(task)
            orders += self._born(parent, task, request, started=False)
        elif task in self._early:
            del self._early[task]
            self._gone_early[task] = cause
        orders += self._release(task, cause)
        self._forget_parent(task)
        return orders + self._settle()

    def unseen(self, task: int, cause: Cause) -> list[Order]:
        """A task that had never stopped is gone: its parent may yet announce it."""
        if task not in self._announced and self._requests:
            self._gone_early[task] = cause
            return []
        return self.ended(task, cause)

    def renamed(self, former: int, task: int) -> list[Order]:
        """A thread other than the leader called execve: the leader is gone and `former` is now `task`."""
        orders = [*self._release(task, "exec"), *self.ended(task, "killed")]
        if former in self._waiting:
            self._waiting[task] = self._waiting.pop(former)
        self._forget_parent(former)
        return orders

    def making(self) -> int:
        """How many tasks are being made by calls that were let run, and have not stopped yet."""
        return len(self._announced) + max(0, len(self._requests) - len(self._early))

    def held(self) -> dict[int, int]:
        """Which parent waits for which child."""
        return {parent: child for child, (parent, _) in self._waiting.items()}

    def _born(self, parent: int, child: int, request: Request, *, started: bool = True) -> list[Order]:
        if parent in self._dead_parents:
            self._dead_parents.discard(parent)
            return [Born(parent, child, request, started, orphan=True)]
        orders: list[Order] = [Born(parent, child, request, started)]
        if request.blocking != "none":
            self._waiting[child] = (parent, request)
            orders.append(Block(parent, child))
        if request.blocking != "emulate":
            orders.append(Go(parent))
        return orders

    def _release(self, child: int, cause: Cause) -> list[Order]:
        if child not in self._waiting:
            return []
        parent, request = self._waiting.pop(child)
        return [Release(parent, child, cause, resume=request.blocking == "emulate")]

    def _forget_parent(self, parent: int) -> None:
        """A dead parent waits for nobody; a child it had announced, or was making, is an orphan."""
        for child in [child for child, (waiter, _) in self._waiting.items() if waiter == parent]:
            del self._waiting[child]
        if any(waiter == parent for waiter, _ in self._announced.values()):
            self._dead_parents.add(parent)
        if parent in self._requests:
            self._lost.append((parent, self._requests.pop(parent)))

    def _settle(self) -> list[Order]:
        """With no call under way, nobody will announce what stopped early: adopt it."""
        if self._requests:
            return []
        orders: list[Order] = []
        for child, stack in list(self._early.items()):
            del self._early[child]
            parent, request = self._claim(stack)
            orders += [Born(parent, child, request, orphan=True), Go(child)]
        self._gone_early.clear()
        return orders

    def _claim(self, stack: int) -> tuple[int, Request]:
        """The dead parent's call that made a child with this stack; the last one where none fits.

        The child's first stop may come long after its parent's end, so these calls are kept for a while.
        """
        for lost in self._lost:
            if lost[1].stack == stack:
                self._lost.remove(lost)
                return lost
        return self._lost.pop() if self._lost else (0, Request(0))
