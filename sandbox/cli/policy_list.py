"""List the shipped policies, each with what it is for.

Example:
  sandboxctl policy list
"""

from __future__ import annotations

import argparse

from sandbox.cli.policy_argument import add_format, tell
from sandbox.policy.load import load, shipped


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print names and descriptions. Raises PolicyError where a shipped policy is damaged."""
    policies = [load(name) for name in shipped()]
    widest = max((len(one.name) for one in policies), default=0)
    lines = [f"{one.name:{widest}}  {one.description}" for one in policies]
    tell(options.format, lines, [{"name": one.name, "description": one.description} for one in policies])
    return 0
