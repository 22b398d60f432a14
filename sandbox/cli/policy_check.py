"""Say what is wrong with policies: mistakes, rules that never decide, weakenings nobody gave a reason for.

The exit status is 0 where nothing is, 1 where something is, and 2 where a policy cannot be used at all.
With --format github the findings are annotations of a pull request.

Example:
  sandboxctl policy check ostoo ./mine.toml
"""

from __future__ import annotations

import argparse

from sandbox.cli.policy_argument import add_format, add_policy
from sandbox.errors import PolicyError, UsageError
from sandbox.policy.values import printable
from sandbox.policytools.catalogue import weakenings
from sandbox.policytools.check import check
from sandbox.policytools.findings import FORMS, INVALID, UNREADABLE, Finding


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_policy(parser, "policies", nargs="*")
    add_format(parser, "github")
    parser.add_argument(
        "--weakenings", action="store_true", help="list what needs a [[waiver]], by the waiver's name"
    )


def run(options: argparse.Namespace) -> int:
    """Print the findings about all policies. Raises PolicyError where one of them cannot be read."""
    if options.weakenings:
        print("\n".join(weakenings()))
        return 0
    if not options.policies:
        raise UsageError("which policy? give a NAME or a FILE")
    found, unreadable = _checked(options.policies)
    text = options.format == "text"
    for line in FORMS[options.format]([one for one in found if not text or one.kind != UNREADABLE]):
        print(line)
    if text and unreadable is None:
        print(_summary(len(options.policies), len(found)))
    if unreadable is not None:
        raise unreadable
    return 2 if any(one.kind == INVALID for one in found) else 1 if found else 0


def _checked(policies: list[str]) -> tuple[list[Finding], PolicyError | None]:
    """Findings about all policies, each once, and the first error of one that cannot be read."""
    found: dict[Finding, None] = {}
    unreadable: PolicyError | None = None
    for policy in policies:
        try:
            found |= dict.fromkeys(check(policy))
        except PolicyError as error:
            unreadable = unreadable or error
            message = error.message + (f"; allowed here: {error.allowed}" if error.allowed else "")
            found[Finding(UNREADABLE, error.file or printable(policy), 0, message)] = None
    return list(found), unreadable


def _summary(policies: int, findings: int) -> str:
    checked = f"{policies} {'policy' if policies == 1 else 'policies'} checked"
    if not findings:
        return f"{checked}, nothing found"
    return f"{checked}, {findings} finding{'' if findings == 1 else 's'}"
