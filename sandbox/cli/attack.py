"""Attack the sandbox on this kernel, and print what held.

Every attack program runs under each policy, beside a fresh victim process and fresh files, and is judged
from outside. Exit status 0 means that all were contained. Nothing but the victim and these files is attacked.

Example:
  sandboxctl attack --policy default --class 1 --class 46 --native
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator

from sandbox.attack import execute, programs
from sandbox.attack.table import Result, as_dict, header, rows, summary

POLICIES = ("default", "ostoo", "compute", "workspace")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add = parser.add_argument
    add("-p", "--policy", action="append", metavar="NAME|FILE",
        help=f"repeatable; default: {', '.join(POLICIES)}")  # fmt: skip
    add("--class", dest="classes", type=int, action="append", default=[], metavar="N",
        help="only programs that try this class; repeatable")  # fmt: skip
    add("--native", action="store_true", help="first show, against the victim, that each attack is real")
    add("-v", "--verbose", action="store_true",
        help="with --native: name each way that is not real here, and why")  # fmt: skip
    add("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    add("programs", nargs="*", metavar="PROGRAM", help="only these (default: all)")


def run(options: argparse.Namespace) -> int:
    """0 if all are contained, 1 if not. Raises UsageError where no programs are built."""
    chosen = programs.select(programs.find(), options.programs, options.classes)
    policies = list(dict.fromkeys(options.policy or POLICIES))
    results = []
    if options.format == "text":
        print(header(policies, options.native), flush=True)
    for result in _results(chosen, policies, options.native):
        results.append(result)
        if options.format == "text":
            print("\n".join(rows(result, verbose=options.verbose)), flush=True)
    if options.format == "text":
        print(summary(results))
    else:
        print(json.dumps(_document(results), indent=1))
    return 0 if all(one.is_contained for one in results) else 1


def _results(chosen: list[programs.Program], policies: list[str], native: bool) -> Iterator[Result]:
    for program in chosen:
        shown = execute.natively(program) if native else None
        yield Result(program, shown, {policy: execute.under(program, policy) for policy in policies})


def _document(results: list[Result]) -> dict[str, object]:
    return {
        "kernel": os.uname().release,
        "user": os.geteuid(),
        "summary": summary(results),
        "attacks": [as_dict(one) for one in results],
    }
