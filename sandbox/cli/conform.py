"""Try every promise of a policy on this kernel, and print what differs.

A shipped policy with tables of promises is tried by them and by probes derived from its rules; any other
policy by those; a table (a file with [[row]]s) by its rows. Probes are derived from verdicts on calls alone:
what [files], [network] ports, [limits] and [environment] say is not tried, but by rows that do so. The
policy's limits on time, memory, output and the log are loosened where the prober itself needs more.

Exit status 0 means that all hold, 1 that something does not, 2 that it cannot be tried, 128 + N that
signal N ended it (130: Ctrl-C), and with it all that it had started.

Example:
  sandboxctl conform ostoo ./my-policy.toml
"""

from __future__ import annotations

import argparse
import contextlib

from sandbox.conformance import document, execute, report, suite, tables
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
    """0 where all hold, 1 where one does not, 128 + N where signal N ends it. Raises SandboxError for what
    cannot be run."""
    try:
        with execute.interruptible():
            return _run(options)
    except execute.InterruptedRunError as interrupted:
        return 128 + interrupted.signo


def _run(options: argparse.Namespace) -> int:
    if options.format == "markdown":
        _print("\n".join(_document(target) for target in options.targets), end="")
        return 0
    parts = [part for target in options.targets for part in suite.check(target, vfork=options.vfork)]
    if options.format == "json":
        _print(report.as_json(parts, options.vfork))
    elif options.format == "junit":
        _print(report.junit(parts))
    else:
        _print(report.text(parts, options.vfork))
    return 0 if report.holds(parts) else 1


def _print(text: str, end: str = "\n") -> None:
    # A reader that goes away early, as `head` does, must not make a failure look like success.
    with contextlib.suppress(BrokenPipeError):
        print(text, end=end, flush=True)


def _document(target: str) -> str:
    files, _ = suite.find(target)
    if not files:
        raise UsageError(f"there is no table of {target}")
    return document.markdown(target, tables.load(files))
