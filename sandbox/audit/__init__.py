"""The audit log: written by the supervisor (`AuditLog`, `open_sink`), read back by reports.

`read`, `verify` and the record types load when first asked for, so that a run does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.audit.sinks import JsonLines, LineSink, Memory, RecordSink, Sink, Text, open_sink
from sandbox.audit.writer import AuditLog

if TYPE_CHECKING:
    from sandbox.audit.reader import read
    from sandbox.audit.records import Record
    from sandbox.audit.verifier import Report, verify

__all__ = [
    "AuditLog",
    "JsonLines",
    "LineSink",
    "Memory",
    "Record",
    "RecordSink",
    "Report",
    "Sink",
    "Text",
    "open_sink",
    "read",
    "verify",
]

_LATER = {"read": "reader", "Record": "records", "Report": "verifier", "verify": "verifier"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
