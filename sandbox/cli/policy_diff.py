"""Say which calls two policies treat differently, and which of their settings differ.

Policies are compared by what they decide, whatever their files look like: each line is a case, with an
example of its arguments. The exit status is 0 where there is none, and 1 where there is.

Example:
  sandboxctl policy diff default workspace
"""

from __future__ import annotations

import argparse

from sandbox.cli.policy_argument import add_format, add_policy, tell
from sandbox.policy.load import load
from sandbox.policytools.diff import as_dict, as_text, compare


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_policy(parser, "before")
    add_policy(parser, "after")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """0 where the policies behave alike, 1 where they don't. Raises PolicyError."""
    difference = compare(load(options.before), load(options.after))
    tell(options.format, as_text(difference), as_dict(difference))
    return 1 if any(difference) else 0
