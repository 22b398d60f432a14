"""Sum up an audit log: what ran, how it ended, which calls got which verdict.

Example:
  sandboxctl audit summary run.jsonl
"""

from __future__ import annotations

import argparse

from sandbox.audit.reader import records
from sandbox.cli.audit_file import add_file, reading
from sandbox.report.summary import render, summarise


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_file(parser)


def run(options: argparse.Namespace) -> int:
    """Print the summary. Raises AuditError where the log cannot be read or a line is damaged."""
    with reading(options.file) as stream:
        summary = summarise(records(stream))
    print("\n".join(render(summary)))
    return 0
