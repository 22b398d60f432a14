"""Turn a seccomp profile of Docker's or of the OCI runtime specification into a policy file.

Entries that depend on capabilities or on the kernel count as for a guest with those of --cap and --kernel.
What the policy language cannot say is named, here and in the policy's first comment, and is stricter in the
policy; the exit status is then 1. A container's whole config.json will do, too.

Example:
  sandboxctl policy import-oci seccomp.json -o mine.toml
"""

from __future__ import annotations

import argparse
import os
import sys

from sandbox.cli.oci_output import deliver
from sandbox.errors import PolicyError, UsageError
from sandbox.oci.importer import Target, import_profile
from sandbox.oci.profile import CAPABILITIES, parse_kernel
from sandbox.oci.source import read_profile
from sandbox.policy.rule_tables import NAMES, is_name


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("file", metavar="FILE", help="a profile in JSON; - is standard input")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the policy here, not to standard output"
    )
    parser.add_argument(
        "--cap", action="append", default=[], metavar="CAP_X", help="a capability the guest has; repeatable"
    )
    parser.add_argument("--kernel", metavar="X.Y", help="the guest's kernel (default: the running one)")
    parser.add_argument("--name", default="", help="the policy's name (default: the file's)")


def run(options: argparse.Namespace) -> int:
    """0 if the policy decides as the profile does, 1 if not everywhere. Raises PolicyError or UsageError."""
    target = Target(_capabilities(options.cap), _kernel(options.kernel))
    if options.name and not is_name(options.name):
        raise UsageError(f"--name must be {NAMES}")
    if options.file == "-" and sys.stdin is None:
        raise PolicyError("standard input is closed")
    data = read_profile(sys.stdin.fileno() if options.file == "-" else options.file)
    file = "standard input" if options.file == "-" else options.file
    imported = import_profile(data, file, target, options.name)
    return deliver(imported.text, imported.losses, options.output)


def _capabilities(words: list[str]) -> frozenset[str]:
    for word in words:
        if word not in CAPABILITIES:
            raise UsageError(f"--cap {word!r} is no capability; one is {CAPABILITIES[0]}")
    return frozenset(words)


def _kernel(text: str | None) -> tuple[int, int]:
    version = parse_kernel(os.uname().release if text is None else text)
    if version is None:
        raise UsageError(f"--kernel {text!r} is no version such as 6.1")
    return version
