"""Say what one call gets under a policy, by which rule, and where that is enforced.

Values are numbers (0x4111, -1), names of flags (CLONE_VM|SIGCHLD), of signals, or AT_FDCWD. Arguments not
given count as 0; what other values of them would lead to is listed. CALL may be a number.

Example:
  sandboxctl policy explain ostoo clone flags=0x4111 child_stack=0
"""

from __future__ import annotations

import argparse

from sandbox.cli.policy_argument import add_format, add_policy, tell
from sandbox.policy.load import load_layers
from sandbox.policytools.explain import as_dict, as_text, explain
from sandbox.policytools.questions import parse_arguments, parse_call


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_policy(parser)
    parser.add_argument("call", metavar="CALL", help="a system call's name or number")
    parser.add_argument("arguments", metavar="ARG=VALUE", nargs="*", help="the call's arguments, by name")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation. Raises PolicyError, and UsageError for a call that there is not."""
    loaded = load_layers(options.policy)
    nr = parse_call(options.call)
    found = explain(loaded, nr, parse_arguments(nr, options.arguments))
    tell(options.format, as_text(found), as_dict(found))
    return 0
