"""Print an audit log as readable text.

Each record is one line: seconds since the start, the process, what happened and what was decided.
FILE may be - for standard input, which may still be growing.

Example:
  sandboxctl audit show run.jsonl --event call --pid 4242
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from sandbox.audit import text
from sandbox.audit.reader import scan
from sandbox.cli.audit_file import add_file, reading


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_file(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the records themselves, a JSON object a line"
    )
    parser.add_argument("--event", action="append", metavar="NAME", help="only this event; repeatable")
    parser.add_argument("--pid", type=int, action="append", metavar="N", help="only this process; repeatable")


def run(options: argparse.Namespace) -> int:
    """Print the records asked for. Raises AuditError where the log cannot be read or a line is damaged."""
    with reading(options.file) as stream:
        for line in scan(stream):
            if line.record is None:
                sys.stdout.flush()
                print(f"sandboxctl: line {line.number} is cut off", file=sys.stderr)
            elif _wanted(line.record, options):
                _print(line.record, options.json)
    return 0


def _wanted(record: Mapping[str, Any], options: argparse.Namespace) -> bool:
    if options.event is not None and record["event"] not in options.event:
        return False
    return options.pid is None or any(record.get(key) in options.pid for key in ("pid", "tid", "child"))


def _print(record: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(record, separators=(",", ":")))
    else:
        print("\n".join(text.lines(record)))
