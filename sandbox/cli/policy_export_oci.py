"""Turn a policy into a seccomp profile for Docker and OCI runtimes.

What a profile cannot say is named, here and in the profile's "comment", and is stricter in the profile, or
not there at all where it is no matter of system calls; the exit status is then 1.

Example:
  sandboxctl policy export-oci default -o seccomp.json
"""

from __future__ import annotations

import argparse

from sandbox.cli.oci_output import deliver
from sandbox.oci.exporter import export_policy
from sandbox.policy.load import load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("policy", metavar="NAME|FILE", help="a shipped policy's name, or a policy file")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the profile here, not to standard output"
    )


def run(options: argparse.Namespace) -> int:
    """0 if the profile decides as the policy does, 1 if not everywhere. Raises PolicyError or UsageError."""
    exported = export_policy(load(options.policy))
    return deliver(exported.text, exported.losses, options.output)
