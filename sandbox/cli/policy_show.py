"""Print a policy as a whole: after `extends`, as a policy file of its own.

Each rule says in a comment which file and line it comes from. With --groups, print every @group and its
calls instead, and which of them the policy uses.

Example:
  sandboxctl policy show workspace
"""

from __future__ import annotations

import argparse

from sandbox.cli.policy_argument import add_policy
from sandbox.errors import UsageError
from sandbox.policy.load import load_layers
from sandbox.policytools.catalogue import groups
from sandbox.policytools.show import render


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_policy(parser, nargs="?")
    parser.add_argument("--groups", action="store_true", help="list the @groups and their calls")


def run(options: argparse.Namespace) -> int:
    """Print the policy or the groups. Raises PolicyError where there is no such policy, or it is wrong."""
    if options.policy is None and not options.groups:
        raise UsageError("which policy? give a NAME or a FILE (or --groups)")
    loaded = None if options.policy is None else load_layers(options.policy)
    if options.groups:
        print("\n".join(groups(loaded)))
    elif loaded is not None:
        print(render(loaded.policy), end="")
    return 0
