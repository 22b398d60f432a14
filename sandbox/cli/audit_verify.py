"""Check that no line of an audit log was changed, removed, added or moved.

A log that ends early, because the run was cut short, verifies as far as it goes. The chain cannot tell
that from a log whose end somebody removed: ask for --complete where the run is known to have ended.

Example:
  sandboxctl audit verify --complete run.jsonl
"""

from __future__ import annotations

import argparse
import contextlib

from sandbox.audit.verifier import Report, verify_stream
from sandbox.cli.audit_file import add_file, reading


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_file(parser)
    parser.add_argument("--complete", action="store_true", help="also fail where there is no end record")


def run(options: argparse.Namespace) -> int:
    """0 if the log verifies, 1 if not. Raises AuditError where it cannot be read."""
    with reading(options.file) as stream:
        report = verify_stream(stream)
    with contextlib.suppress(BrokenPipeError):  # the status is the answer
        print(_told(report))
    return 1 if report.state == "broken" or (options.complete and report.state == "truncated") else 0


def _told(report: Report) -> str:
    records = f"{report.records} record{'' if report.records == 1 else 's'}"
    match report.state:
        case "complete":
            return f"ok: {records}, complete"
        case "truncated":
            return f"ok so far: {records}, {report.reason} (the run was cut short)"
        case "broken":
            return f"broken: line {report.line}: {report.reason}"
