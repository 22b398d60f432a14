"""What a row may not say, because no run could show that it is false, or the prober cannot do it."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.conformance import wire
from sandbox.conformance.probe import ARENA_SIZE, TEXTS_AT, Arg, Place, Step
from sandbox.conformance.rows import Differs, Row
from sandbox.conformance.values import Expected
from sandbox.errors import UsageError
from sandbox.policy.source import Table

_ROOM = wire.INPUT_SIZE - 4096  # of the prober's input, for one probe


def refuse_untestable(table: Table, row: Row) -> None:
    """Raise PolicyError about the `[[row]]` in `table` where `row` cannot be tested."""
    _refuse_lost(table, row)
    _refuse_childless(table, row)
    _refuse_motherless(table, row)
    _refuse_steps(table, row)
    _refuse_results(table, row)
    _refuse_arguments(table, row)
    _refuse_unencodable(table, row)


def _expectations(row: Row) -> Iterator[tuple[str, Expected]]:
    """What is expected of the judged call in each mode, and the key that says so."""
    yield "expect", row.expect
    for key, other in (("kernel", row.kernel), ("native", row.native)):
        if isinstance(other, Differs):
            yield key, other.expect


def _refuse_lost(table: Table, row: Row) -> None:
    """What a process did is lost with it, but for an isolated one, which shares the prober's memory."""
    if row.probe.isolate or not any(expect.may_end for _, expect in _expectations(row)):
        return
    for key in ("before", "children", "signals", "writes"):
        if key in table.data:
            raise table.error(key, f"{key} cannot be seen where the call ends its process", "isolate = true")


def _refuse_childless(table: Table, row: Row) -> None:
    if row.child is not None and not any(expect.may_be_child for _, expect in _expectations(row)):
        raise table.error("child", "child is checked where a child is expected", 'expect = "child"')


def _refuse_motherless(table: Table, row: Row) -> None:
    """Steps of children that no step of the level above makes would never be made."""
    for level, _ in enumerate(row.probe.children):
        if not any(step.makes_task for step in row.probe.levels[level]):
            allowed = "clone, fork, vfork, clone3"
            raise table.error("children", f"no step of level {level} makes a task", allowed)


def _refuse_steps(table: Table, row: Row) -> None:
    """A step is expected to come back, and only with what it can be seen to come back with."""
    for level, nth, expect, step in _expected_steps(row):
        key = _key(level)
        if expect.may_end:
            raise table.error(key, f"step {level}.{nth} is expected to end its process", "what it answers")
        if expect.may_be_child and not step.makes_task:
            raise table.error(key, f"step {level}.{nth} makes no child", "clone, fork, vfork, clone3")


def _expected_steps(row: Row) -> Iterator[tuple[int, int, Expected, Step]]:
    for level, wanted in enumerate(row.steps):
        for nth, expect in enumerate(wanted):
            if expect is not None:
                yield level, nth, expect, row.probe.levels[level][nth]


def _refuse_results(table: Table, row: Row) -> None:
    """`{ result = N }` is compared with an earlier step of the same process."""
    judged = len(row.probe.before)
    found = [(key, judged, expect) for key, expect in _expectations(row)]
    found += [(_key(level), nth, expect) for level, nth, expect, _ in _expected_steps(row)]
    for key, nth, expect in found:
        for one in expect.each():
            if one.result is not None and one.result >= nth:
                raise table.error(key, f"there is no step {one.result} before this one", "an earlier step")


def _refuse_arguments(table: Table, row: Row) -> None:
    """`result:N` is what a step came back with that is over by then."""
    for level, steps in enumerate(row.probe.levels):
        for nth, step in enumerate(steps):
            key = "args" if (level, nth) == (0, len(row.probe.before)) else _key(level)
            for arg in step.args:
                _refuse_argument(table, row, arg, key, (level, nth))


def _refuse_argument(table: Table, row: Row, arg: Arg, key: str, at: tuple[int, int]) -> None:
    if isinstance(arg, Place) and arg.kind == "result":
        of = (arg.number >> 8, arg.number & 0xFF)
        if not _is_earlier(row.probe.levels, of, at):
            raise table.error(key, f"result:{of[0]}.{of[1]} is of no earlier step", "one that comes before")


def _is_earlier(levels: tuple[tuple[Step, ...], ...], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a step (level, number) can be over when another begins."""
    level, step = one
    here, nth = other
    if level >= len(levels) or step >= len(levels[level]):
        return False
    if level == here:
        return step < nth
    if level < here:
        return any(later.makes_task for later in levels[level][step + 1 :])
    return any(earlier.makes_task for earlier in levels[here][:nth])


def _refuse_unencodable(table: Table, row: Row) -> None:
    try:
        size = len(wire.encode(0, row.probe, isolate=row.probe.isolate))
    except UsageError as error:
        raise table.error(
            None, str(error), f"at most {ARENA_SIZE - TEXTS_AT} bytes in all its calls"
        ) from None
    if size > _ROOM:
        raise table.error(None, f"the row is {size} bytes for the prober", f"at most {_ROOM}")


def _key(level: int) -> str:
    return "children" if level else "before"
