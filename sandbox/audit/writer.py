"""The audit log as the supervisor writes it: one record at a time, on every sink before the guest goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.audit.chain import FIRST_PREV, MAX_LINE, RESERVED, SCHEMA_VERSION, link
from sandbox.audit.sinks import LineSink, RecordSink, Sink
from sandbox.errors import AuditError
from sandbox.outcome import Outcome

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode


class AuditLog:
    """A log with a list of sinks. Without sinks `active` is False and `emit` does nothing.

    Times in records are nanoseconds of `clock` since the log was made. After a failed or interrupted write
    the log stays failed: every further `emit` raises AuditError, so that nothing follows half a line.
    """

    def __init__(self, sinks: Sequence[Sink] = (), clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._line_sinks = [sink for sink in sinks if isinstance(sink, LineSink)]
        self._record_sinks = [sink for sink in sinks if isinstance(sink, RecordSink)]
        self.active = bool(sinks)
        self.failed = False
        self._clock = clock
        self._zero = clock()
        self._seq = 0
        self._prev = FIRST_PREV

    def emit(self, event: str, /, **fields: Any) -> None:
        """Write one record, `fields` in the order given, to each sink before returning.

        A field whose name is a keyword of Python goes in by `**{"from": 7}`. Raises AuditError where a sink
        fails (the caller then kills the guest), ValueError or TypeError where a field cannot be written.
        """
        if not self.active:
            return
        if self.failed:
            raise AuditError("the audit log has failed before; nothing more can be recorded")
        if not RESERVED.isdisjoint(fields):
            raise ValueError(f"not for a field's name: {', '.join(sorted(RESERVED.intersection(fields)))}")
        t = self._clock() - self._zero
        line = self._line(event, t, fields) if self._line_sinks else b""
        # Also left standing by an exception out of a signal handler in the middle of a write.
        self.failed = True
        for line_sink in self._line_sinks:
            line_sink.write_line(line)
        for record_sink in self._record_sinks:
            record_sink.write_record(self._record(event, t, fields))
        if line:
            self._prev = link(line[:-1])
        self._seq += 1
        self.failed = False

    @property
    def size(self) -> int:
        """How many bytes of log there are: those of the sink that took most."""
        return max((sink.size for sink in (*self._line_sinks, *self._record_sinks)), default=0)

    def on_stall(self, stalled: Callable[[], None]) -> None:
        """Call `stalled` while a reader keeps a sink waiting; it may raise AuditError to give up."""
        for sink in (*self._line_sinks, *self._record_sinks):
            sink.on_stall(stalled)

    def end(self, outcome: Outcome, calls: Mapping[str, Mapping[str, int]]) -> None:
        """Write the `end` record: the outcome's own fields, then `calls` as {call: {verdict: count}}."""
        if self.active:
            self.emit("end", **outcome.as_dict(), calls={name: dict(by) for name, by in calls.items()})

    def close(self) -> None:
        """Close what the sinks own; records after this fail. Raises AuditError."""
        self.failed = True
        first: AuditError | None = None
        for sink in (*self._line_sinks, *self._record_sinks):
            try:
                sink.close()
            except AuditError as error:
                first = first or error
        if first:
            raise first

    def _line(self, event: str, t: int, fields: dict[str, Any]) -> bytes:
        body = _encode({"event": event, **fields})
        line = f'{{"v":{SCHEMA_VERSION},"seq":{self._seq},"t":{t},{body[1:-1]},"prev":"{self._prev}"}}\n'
        if len(line) > MAX_LINE:
            raise AuditError(f"a record of {len(line)} bytes is longer than a reader of the log accepts")
        return line.encode("ascii")

    def _record(self, event: str, t: int, fields: dict[str, Any]) -> dict[str, Any]:
        record = {"v": SCHEMA_VERSION, "seq": self._seq, "t": t, "event": event, **fields}
        if self._line_sinks:
            record["prev"] = self._prev
        return record
