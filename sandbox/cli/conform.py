"""Try every promise of a policy on this kernel, and print what differs.

A shipped policy with tables of promises is tried by them and by probes derived from its rules; any other
policy by those; a table (a file with [[row]]s) by its rows. Exit status 0 means that all hold.

Example:
  sandboxctl conform ostoo ./my-policy.toml
"""

from __future__ import annotations

import argparse

from sandbox.conformance import document, report, suite, tables
from sandbox.errors import UsageError

FORMATS = ("text", "json", "junit", "markdown")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add = parser.add_argument
    add(
        "--vfork",
        choices=("emulate", "kernel"),
        help="who blocks the parent of a spawn (default: the policy's)",
    )
    add("--format", choices=FORMATS, default="text",
        help="default: %(default)s; markdown runs nothing and tells what the tables promise")  # fmt: skip
    add("targets", nargs="+", metavar="POLICY|TABLE", help="a shipped policy, a policy file, a table")


def run(options: argparse.Namespace) -> int:
    """0 where all hold, 1 where one does not. Raises SandboxError for what cannot be run."""
    if options.format == "markdown":
        print("\n".join(_document(target) for target in options.targets), end="")
        return 0
    parts = [part for target in options.targets for part in suite.check(target, vfork=options.vfork)]
    if options.format == "json":
        print(report.as_json(parts, options.vfork))
    elif options.format == "junit":
        print(report.junit(parts))
    else:
        print(report.text(parts, options.vfork))
    return 0 if report.holds(parts) else 1


def _document(target: str) -> str:
    files, _ = suite.find(target)
    if not files:
        raise UsageError(f"there is no table of {target}")
    return document.markdown(target, tables.load(files))
