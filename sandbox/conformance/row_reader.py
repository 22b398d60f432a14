"""One `[[row]]` of a table, which may stand for many rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sandbox.conformance import values
from sandbox.conformance.calls import CALL_KEYS, CallReader
from sandbox.conformance.probe import ARENA_SIZE, LEVELS, STEPS, Probe, Step
from sandbox.conformance.row_checks import refuse_untestable
from sandbox.conformance.rows import UNFORETOLD, Differs, Row
from sandbox.conformance.values import Expected
from sandbox.conformance.wire import REGISTERS, signal_name
from sandbox.policy.source import Table
from sandbox.syscalls import flags

RECORD_KEYS = ("verdict", "errno", "rule", "nr", "call", "args", "ret")
_STEP = (*CALL_KEYS, "spin", "times", "expect")
_ROW = (
    "id", "says", *CALL_KEYS, "before", "children", "isolate", "reap", "memory", "expect", "registers",
    "child", "writes", "record", "events", "signals", "level", "kernel", "native", "because",
)  # fmt: skip


class Head(NamedTuple):
    """What a table says once for all its rows."""

    policy: str
    title: str


class RowReader:
    """One `[[row]]`, which may stand for many."""

    def __init__(self, row: Table, head: Head) -> None:
        self.row = row
        self.head = head
        row.only("key of a row", _ROW)
        row.require("id", "expect")

    def rows(self) -> Iterator[Row]:
        """Every row it stands for. Raises PolicyError."""
        base = self._base()
        calls = CallReader(self.row)
        for suffix, step in calls.steps():
            name = f"{base.id}-{suffix}" if suffix else base.id
            probe = base.probe._replace(nr=step.nr, args=step.args, entry=step.entry, name=name)
            row = base._replace(id=name, family=base.id, probe=probe)
            refuse_untestable(self.row, row)
            yield row

    def _base(self) -> Row:
        row = self.row
        before, expected_before = self._steps("before", row.tables("before"))
        children, expected_children = self._children()
        probe = Probe(
            0,
            before=before,
            children=children,
            isolate="isolate" in row.data and row.boolean("isolate"),
            memory=self._memory(),
            reap=row.boolean("reap") if "reap" in row.data else True,
        )
        expect = row.convert("expect", values.EXPECTATION, values.expected)
        writes = self._writes()
        if writes is not None:
            probe = probe._replace(look=(writes[0], len(writes[1])))
        record, no_record = self._record()
        return Row(
            self._id(), row.text("says"), self.head.title, self.head.policy, probe, expect,
            steps=(expected_before, *expected_children),
            registers=self._registers(),
            child=row.convert("child", '"exit N" or "SIG…"', values.ending) if "child" in row.data else None,
            writes=writes, writes_anything=row.data.get("writes") == "anything",
            writes_some=self._writes_some(),
            record=record, no_record=no_record, events=self._events(),
            signals=self._signals(),
            level=row.choice("level", ("decisions", "all")) if "level" in row.data else "decisions",
            kernel=self._differs("kernel"), native=self._native(expect), because=row.text("because"),
            file=row.source.file, line=row.line,
        )  # fmt: skip

    def _id(self) -> str:
        return str(self.row.check("id", "letters, digits and -", _is_id))

    def _children(self) -> tuple[tuple[tuple[Step, ...], ...], tuple[tuple[Expected | None, ...], ...]]:
        """A list of steps is what the child does; a list of lists, what each level of children does."""
        row = self.row
        if "children" not in row.data:
            return (), ()
        given = row.check("children", "a list of lists of steps", _is_list_of_lists)
        if len(given) >= LEVELS:
            raise row.error("children", "too many levels of children", f"at most {LEVELS - 1}")
        read = [
            self._steps(
                "children",
                [
                    Table(row.source, (*row.path, "children", level, nth), one)
                    for nth, one in enumerate(steps)
                ],
            )
            for level, steps in enumerate(given)
        ]
        return tuple(one for one, _ in read), tuple(one for _, one in read)

    def _steps(
        self, key: str, tables: Sequence[Table]
    ) -> tuple[tuple[Step, ...], tuple[Expected | None, ...]]:
        steps: list[Step] = []
        wanted: list[Expected | None] = []
        for one in tables:
            one.only("key of a step", _STEP)
            [(_, step)] = CallReader(one, several=False).steps()
            times = one.whole("times", 1, STEPS - 1) if "times" in one.data else 1
            spin = one.whole("spin", 0, 1 << 24) if "spin" in one.data else 0
            steps += [step._replace(spin=spin)] * times
            wanted += [
                one.convert("expect", values.EXPECTATION, values.expected) if "expect" in one.data else None
            ] * times
        if len(steps) >= STEPS:
            raise self.row.error(key, "too many steps", f"at most {STEPS - 1}")
        return tuple(steps), tuple(wanted)

    def _memory(self) -> tuple[tuple[int, bytes], ...]:
        return tuple(_bytes_at(one) for one in self.row.tables("memory"))

    def _writes(self) -> tuple[int, bytes] | None:
        if self.row.data.get("writes") == "anything":
            return None
        one = self.row.table("writes")
        return _bytes_at(one) if one is not None and "size" not in one.data else None

    def _writes_some(self) -> tuple[int, int] | None:
        if self.row.data.get("writes") == "anything":
            return None
        one = self.row.table("writes")
        if one is None or "size" not in one.data:
            return None
        one.only("key", ("at", "size"))
        one.require("at", "size")
        at = one.whole("at", 0, ARENA_SIZE - 2 * UNFORETOLD)
        return at, one.whole("size", 2 * UNFORETOLD, ARENA_SIZE - at)

    def _record(self) -> tuple[dict[str, Any] | None, bool]:
        if self.row.data.get("record") == "none":
            return None, True
        one = self.row.table("record")
        if one is None:
            return None, False
        one.only("field of a call record", RECORD_KEYS)
        return dict(one.data), False

    def _events(self) -> tuple[dict[str, Any], ...]:
        events = self.row.tables("events")
        for one in events:
            one.require("event")
        return tuple(dict(one.data) for one in events)

    def _registers(self) -> frozenset[str]:
        if "registers" not in self.row.data:
            return frozenset()
        found = set()
        for path, word in self.row.words("registers", ", ".join(REGISTERS)):
            if word not in REGISTERS:
                raise self.row.source.error(path, f"{word} is no register", ", ".join(REGISTERS))
            found.add(word)
        return frozenset(found)

    def _signals(self) -> tuple[str, ...]:
        if "signals" not in self.row.data:
            return ()
        found = []
        for path, word in self.row.words("signals", "names of signals"):
            number = flags.signal_number(word)
            if number is None:
                raise self.row.source.error(path, f"{word} is no signal", "names of signals")
            found.append(signal_name(number))
        return tuple(found)

    def _differs(self, key: str) -> Differs | None:
        one = self.row.table(key)
        if one is None:
            return None
        one.only("key", ("expect", "because"))
        one.require("expect", "because")
        return Differs(one.convert("expect", values.EXPECTATION, values.expected), one.text("because"))

    def _native(self, expect: Expected) -> Expected | Differs | None:
        if self.row.data.get("native") == "same":
            return expect
        return self._differs("native")


def _bytes_at(one: Table) -> tuple[int, bytes]:
    one.only("key", ("at", "bytes"))
    one.require("at", "bytes")
    at = one.whole("at", 0, ARENA_SIZE - 1)
    found = one.convert("bytes", 'pairs of digits, "00*16 b6"', _data)
    if at + len(found) > ARENA_SIZE:
        raise one.error("bytes", f"{len(found)} bytes at {at} do not fit", f"{ARENA_SIZE} bytes in all")
    return at, found


def _data(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError
    return values.data(value)


def _is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(steps, list) and all(isinstance(one, dict) for one in steps) for steps in value
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.replace("-", "").isalnum()
