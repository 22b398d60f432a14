"""Print a JSON Schema of policy files, by which editors complete them.

Example:
  sandboxctl policy schema > policy.schema.json
"""

from __future__ import annotations

import argparse

from sandbox.policytools.schema import text


def configure(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments."""


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    print(text(), end="")
    return 0
