"""The vfork machine as a table: sequences of what is seen, and the orders that must come out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.supervisor.vfork import Block, Born, Go, Order, Release, Request, VforkMachine

SPAWN = Request(0x4111, stack=0x7000, blocking="emulate", stripped=0x4000)
KERNEL = Request(0x4111, stack=0x7000, blocking="kernel")
FORK = Request(0x11)
P, C, G = 100, 200, 300

Step = tuple[str, tuple[Any, ...], list[Order]]


def call(parent: int = P, request: Request = SPAWN) -> Step:
    return ("called", (parent, request), [])


def born(parent: int = P, child: int = C, request: Request = SPAWN, *, orphan: bool = False) -> Born:
    return Born(parent, child, request, orphan=orphan)


SPAWNED: list[Step] = [
    call(),
    ("announced", (P, C), []),
    ("started", (C, 0x7000), [born(), Block(P, C), Go(C)]),
]

SEQUENCES: dict[str, list[Step]] = {
    "exec releases": [
        *SPAWNED,
        ("execed", (C,), [Release(P, C, "exec", resume=True)]),
        ("ended", (C, "exit"), []),
    ],
    "exit releases": [*SPAWNED, ("ended", (C, "exit"), [Release(P, C, "exit", resume=True)])],
    "death releases": [*SPAWNED, ("ended", (C, "killed"), [Release(P, C, "killed", resume=True)])],
    "a second exec releases nobody": [
        *SPAWNED,
        ("execed", (C,), [Release(P, C, "exec", resume=True)]),
        ("execed", (C,), []),
    ],
    "child stops before its parent's event": [
        call(),
        ("started", (C, 0x7000), []),
        ("announced", (P, C), [born(), Block(P, C), Go(C)]),
    ],
    "the kernel blocks": [
        call(request=KERNEL),
        ("announced", (P, C), []),
        ("started", (C, 0x7000), [born(request=KERNEL), Block(P, C), Go(P), Go(C)]),
        ("execed", (C,), [Release(P, C, "exec", resume=False)]),
    ],
    "fork holds nobody": [
        call(request=FORK),
        ("announced", (P, C), []),
        ("started", (C, 0x7000), [born(request=FORK), Go(P), Go(C)]),
        ("ended", (C, "exit"), []),
    ],
    "a failed or restarted call leaves nothing": [
        call(),
        ("returned", (P,), []),
        *SPAWNED,
        ("execed", (C,), [Release(P, C, "exec", resume=True)]),
    ],
    "nested: the child waits for a child of its own": [
        *SPAWNED,
        call(C),
        ("announced", (C, G), []),
        ("started", (G, 0x7000), [born(C, G), Block(C, G), Go(G)]),
        ("execed", (G,), [Release(C, G, "exec", resume=True)]),
        ("ended", (C, "exit"), [Release(P, C, "exit", resume=True)]),
    ],
    "parent killed while held": [
        *SPAWNED,
        ("ended", (P, "killed"), []),
        ("execed", (C,), []),
        ("ended", (C, "exit"), []),
    ],
    "held middle of a nest killed": [
        *SPAWNED,
        call(C),
        ("announced", (C, G), []),
        ("started", (G, 0x7000), [born(C, G), Block(C, G), Go(G)]),
        ("ended", (C, "killed"), [Release(P, C, "killed", resume=True)]),
        ("execed", (G,), []),
    ],
    "parent killed between call and event, child stopped already": [
        call(),
        ("started", (C, 0x7000), []),
        ("ended", (P, "killed"), [born(orphan=True), Go(C)]),
    ],
    "parent killed between call and event, child stops later": [
        call(),
        ("ended", (P, "killed"), []),
        ("started", (C, 0x7000), [born(orphan=True), Go(C)]),
    ],
    "parent killed after its event, child stops later": [
        call(),
        ("announced", (P, C), []),
        ("ended", (P, "killed"), []),
        ("started", (C, 0x7000), [born(orphan=True), Go(C)]),
        ("execed", (C,), []),
    ],
    "the dead parent is found by the child's stack": [
        call(P, SPAWN),
        call(P + 1, Request(0x4111, stack=0x9000, blocking="emulate")),
        ("started", (C, 0x9000), []),
        ("ended", (P, "killed"), []),
        (
            "ended",
            (P + 1, "killed"),
            [Born(P + 1, C, Request(0x4111, stack=0x9000, blocking="emulate"), orphan=True), Go(C)],
        ),
    ],
    "an early child waits while any call is under way": [
        call(P),
        call(P + 1),
        ("started", (C, 0x7000), []),
        ("ended", (P, "killed"), []),
        ("announced", (P + 1, C), [born(P + 1), Block(P + 1, C), Go(C)]),
    ],
    "child killed before its first stop, after the event": [
        call(),
        ("announced", (P, C), []),
        (
            "unseen",
            (C, "killed"),
            [Born(P, C, SPAWN, started=False), Block(P, C), Release(P, C, "killed", True)],
        ),
    ],
    "child killed before its first stop and before the event": [
        call(),
        ("unseen", (C, "killed"), []),
        ("announced", (P, C), [Born(P, C, SPAWN, started=False), Block(P, C), Release(P, C, "killed", True)]),
    ],
    "child killed in its first stop before the event": [
        call(),
        ("started", (C, 0x7000), []),
        ("ended", (C, "killed"), []),
        ("announced", (P, C), [Born(P, C, SPAWN, started=False), Block(P, C), Release(P, C, "killed", True)]),
    ],
    "exec from a thread of the child": [
        *SPAWNED,
        ("renamed", (C + 1, C), [Release(P, C, "exec", resume=True)]),
        ("execed", (C,), []),
    ],
    "a stranger's death means nothing": [("unseen", (4242, "exit"), [])],
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_sequence(sequence: list[Step]) -> None:
    machine = VforkMachine()
    for number, (method, arguments, orders) in enumerate(sequence):
        found = getattr(machine, method)(*arguments)
        assert [type(one) for one in found] == [type(one) for one in orders], f"step {number}: {found}"
        assert found == orders, f"step {number}"


def test_event_without_a_call_is_an_error() -> None:
    with pytest.raises(KeyError):
        VforkMachine().announced(P, C)


class _World:
    """Parents that each make one child, and what the machine's orders did to them."""

    def __init__(self, parents: list[int]) -> None:
        self.machine = VforkMachine()
        self.parents = parents
        self.alive = set(parents)
        self.went: dict[int, int] = {}
        self.held: set[int] = set()
        self.gone: set[int] = set()
        self.started: set[int] = set()
        for parent in parents:
            self.machine.called(parent, Request(0x4111, stack=parent, blocking="emulate"))

    def take(self, orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, Go) and order.pid not in self.parents:
                self.went[order.pid] = self.went.get(order.pid, 0) + 1
            elif isinstance(order, Block):
                self.held.add(order.parent)
            elif isinstance(order, Release):
                self.held.discard(order.parent)

    def announce(self, parent: int) -> None:
        if parent in self.alive:
            self.take(self.machine.announced(parent, parent + 10))

    def start(self, parent: int) -> None:
        if parent + 10 not in self.gone:
            self.started.add(parent + 10)
            self.take(self.machine.started(parent + 10, parent))

    def kill(self, parent: int) -> None:
        self.alive.discard(parent)
        self.held.discard(parent)
        self.take(self.machine.ended(parent, "killed"))

    def kill_child(self, parent: int) -> None:
        child = parent + 10
        self.gone.add(child)
        seen = child in self.started
        self.take((self.machine.ended if seen else self.machine.unseen)(child, "killed"))


@settings(max_examples=300)
@given(st.data())
def test_nobody_is_lost_or_held_for_good(data: st.DataObject) -> None:
    """Whatever the order of events and deaths: every started child goes on exactly once, and when all
    children are gone no living parent is held."""
    parents = list(range(1, 1 + data.draw(st.integers(1, 4))))
    world = _World(parents)
    steps = [(what, parent) for parent in parents for what in (world.announce, world.start)]
    steps += [(world.kill, parent) for parent in parents if data.draw(st.booleans())]
    steps += [(world.kill_child, parent) for parent in parents if data.draw(st.booleans())]
    for what, parent in data.draw(st.permutations(steps)):
        what(parent)
    assert all(count == 1 for count in world.went.values())
    living = world.started - world.gone
    assert living <= set(world.went)
    for child in living:
        world.take(world.machine.ended(child, "exit"))
    assert not world.held & world.alive
    assert not {parent for parent in world.machine.held() if parent in world.alive}


@pytest.mark.parametrize(
    ("steps", "making"),
    [
        ([], 0),
        ([("called", (P, FORK))], 1),
        ([("called", (P, FORK)), ("called", (G, FORK))], 2),
        ([("called", (P, FORK)), ("returned", (P,))], 0),
        ([("called", (P, FORK)), ("announced", (P, C))], 1),
        ([("called", (P, FORK)), ("announced", (P, C)), ("started", (C, 0))], 0),
        ([("called", (P, FORK)), ("started", (C, 0))], 0),
        ([("called", (P, FORK)), ("started", (C, 0)), ("announced", (P, C))], 0),
        ([("called", (P, FORK)), ("ended", (P, "killed"))], 0),
        ([("called", (P, FORK)), ("announced", (P, C)), ("ended", (C, "killed"))], 0),
    ],
)
def test_tasks_that_are_being_made_and_have_not_stopped_yet(
    steps: list[tuple[str, tuple[Any, ...]]], making: int
) -> None:
    machine = VforkMachine()
    for name, arguments in steps:
        getattr(machine, name)(*arguments)
    assert machine.making() == making
