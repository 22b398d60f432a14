"""Carries out the vfork machine's orders: children are adopted, registers put right, parents held."""

from __future__ import annotations

from sandbox._kernel import calls
from sandbox._kernel.calls import Registers
from sandbox.policy.model import Process
from sandbox.supervisor.apply import Next, Rest, restore
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.stops import Exited, Killed
from sandbox.supervisor.tracee import Stopped, Task, Tasks
from sandbox.supervisor.vfork import Block, Blocking, Born, Go, Order, Release, Request, VforkMachine
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

CLONE_VFORK = 0x4000
CLONE_THREAD = 0x10000
_CLONE = table.NUMBERS["clone"]
# fork(2) is clone(SIGCHLD), vfork(2) is clone(CLONE_VM|CLONE_VFORK|SIGCHLD) on the parent's own stack.
_FLAGS = {table.NUMBERS["fork"]: 0x11, table.NUMBERS["vfork"]: 0x4111}
MAKES_TASKS = frozenset({_CLONE, *_FLAGS})


class Births:
    """Between the loop and the pure machine. Registers are read at a stop and kept only until the child's
    record is written."""

    def __init__(self, recorder: Recorder, tasks: Tasks, process: Process, *, trace_exits: bool) -> None:
        self._machine = VforkMachine()
        self._recorder = recorder
        self._tasks = tasks
        self._blocking: Blocking = process.vfork
        self._trace_exits = trace_exits
        self._parents: dict[int, Registers] = {}
        self._groups: dict[int, int] = {}
        self._masks: dict[int, int] = {}
        self._children: dict[int, tuple[Stopped, int]] = {}

    def on_call(self, stopped: Stopped, call: Call) -> tuple[tuple[int, int], ...] | None:
        """An allowed call that may make a task: the argument changes to run it with; None for any other.

        CLONE_VFORK is taken out where the supervisor does the blocking: the kernel's own cannot be
        interrupted, not even by its tracer (kernel/fork.c, wait_for_vfork_done).

        Signals are blocked while the call runs. One that is pending makes the kernel start the call again
        (ERESTARTNOINTR, kernel/fork.c, copy_process), and a fast timer would be pending every time, since
        a traced call takes longer than an untraced one.
        """
        task = stopped.task
        if call.nr not in MAKES_TASKS:
            return None
        flags = _FLAGS.get(call.nr, call.args[0])
        blocking: Blocking = self._blocking if flags & CLONE_VFORK else "none"
        if call.nr != _CLONE and blocking == "emulate":
            blocking = "kernel"
        stripped = CLONE_VFORK if blocking == "emulate" else 0
        stack = call.args[1] if call.nr == _CLONE else 0
        self._groups[task.tid] = task.tgid
        mask = stopped.block_signals()
        self._masks[task.tid] = mask
        self._machine.called(task.tid, Request(flags, stack, blocking, stripped, mask))
        return ((0, flags & ~stripped),) if stripped else ()

    def on_return(self, stopped: Stopped) -> None:
        """A call ended without an event: if it was to make a task, it failed or will be restarted."""
        tid = stopped.task.tid
        if tid in self._masks:
            self._groups.pop(tid, None)
            stopped.set_signal_mask(self._masks.pop(tid))
            self._do(self._machine.returned(tid))

    def on_event(self, stopped: Stopped, child: int) -> Next:
        """The event in the parent, which stays in this stop until the orders let it go."""
        tid = stopped.task.tid
        restore(stopped)
        stopped.set_signal_mask(self._masks.pop(tid))
        self._parents[tid] = stopped.registers()
        self._do(self._machine.announced(tid, child))
        return Rest()

    def on_first_stop(self, pid: int, request: int) -> Next:
        """An unknown task stopped: a child, announced or not yet."""
        stopped = Stopped(self._tasks.add(pid, pid, 0))
        self._children[pid] = (stopped, request)
        try:
            stack = stopped.registers().rsp
        except ProcessLookupError:
            stack = 0
        self._do(self._machine.started(pid, stack))
        return Rest()

    def on_exec(self, task: Task) -> None:
        """A successful execve."""
        self._do(self._machine.execed(task.tid))

    def on_rename(self, former: int, leader: int) -> None:
        """A thread's execve made it the leader; what either was doing before is over."""
        self._do(self._machine.renamed(former, leader))
        for tid in (former, leader):
            self._forget(tid)

    def on_end(self, task: Task, stop: Exited | Killed) -> None:
        """A known task is gone."""
        self._children.pop(task.tid, None)
        self._masks.pop(task.tid, None)
        self._do(self._machine.ended(task.tid, "exit" if isinstance(stop, Exited) else "killed"))
        self._parents.pop(task.tid, None)

    def _forget(self, tid: int) -> None:
        for known in (self._masks, self._groups, self._parents, self._children):
            known.pop(tid, None)

    def on_unseen_end(self, stop: Exited | Killed) -> None:
        """A task that never stopped is gone."""
        self._do(self._machine.unseen(stop.pid, "exit" if isinstance(stop, Exited) else "killed"))

    def making(self) -> int:
        """How many tasks there will be that were not seen yet."""
        return self._machine.making()

    def waiting(self) -> set[int]:
        """Processes held until their child, which shares their memory, has called execve or is gone."""
        held = map(self._tasks.get, self._machine.held())
        return {task.tgid for task in held if task is not None}

    # ---- orders ----

    def _do(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Born():
                    self._born(order)
                case Block(parent, child):
                    if task := self._tasks.get(parent):
                        self._recorder.block(task, child)
                case Release():
                    self._release(order)
                case Go(pid):
                    self._go(pid)

    def _born(self, order: Born) -> None:
        parent = self._tasks.get(order.parent)
        registers: Registers | None = None
        if order.child in self._children:
            stopped, _ = self._children[order.child]
            self._settle(stopped.task, parent, order)
            registers = self._repair(stopped, order)
        if self._recorder.active:
            self._recorder.child(parent, order, self._parents.get(order.parent), registers)

    def _settle(self, child: Task, parent: Task | None, order: Born) -> None:
        group = self._groups.pop(order.parent, order.parent)
        child.ppid = group
        if order.request.flags & CLONE_THREAD:
            child.tgid = group
            self._tasks.made -= 1

    def _repair(self, stopped: Stopped, order: Born) -> Registers | None:
        """The child's registers and signal mask are copies of the changed ones: give it the guest's own."""
        try:
            stopped.set_signal_mask(order.request.mask)
            if not self._trace_exits:
                calls.trace_exit(stopped.tid, wanted=False)
            if order.request.stripped:
                stopped.set_register("rdi", order.request.flags)
            return stopped.registers()
        except ProcessLookupError:
            return None

    def _release(self, order: Release) -> None:
        task = self._tasks.get(order.parent)
        if task is None:
            return
        self._recorder.release(task, order)
        if order.resume:
            self._resume(Stopped(task), calls.PTRACE_CONT)

    def _go(self, pid: int) -> None:
        self._parents.pop(pid, None)
        if pid in self._children:
            stopped, request = self._children.pop(pid)
            self._resume(stopped, request)
        elif task := self._tasks.get(pid):
            self._resume(Stopped(task), calls.PTRACE_CONT)

    def _resume(self, stopped: Stopped, request: int) -> None:
        try:
            stopped.go(request)
        except ProcessLookupError:
            pass  # killed in its stop; its end will be reported
