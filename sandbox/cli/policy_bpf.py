"""Print the seccomp filter that a policy becomes, one annotated instruction a line.

--raw writes the filter itself, an array of struct sock_filter, as bubblewrap's --seccomp takes. There, what
is for the supervisor (TRACE) is ENOSYS, since there is none.

Example:
  sandboxctl policy bpf --raw compute > compute.bpf
"""

from __future__ import annotations

import argparse
import sys

from sandbox.cli.policy_argument import add_policy
from sandbox.errors import UsageError
from sandbox.policy.load import load
from sandbox.rules import SUPERVISED
from sandbox.seccomp.bpf import encode
from sandbox.seccomp.compile import compile_policy
from sandbox.seccomp.listing import listing


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_policy(parser)
    parser.add_argument("--raw", action="store_true", help="write the filter's bytes")


def run(options: argparse.Namespace) -> int:
    """Print the filter. Raises PolicyError, SetupError for a policy too large, UsageError for a terminal."""
    program = compile_policy(load(options.policy), SUPERVISED)
    if not options.raw:
        print(listing(program), end="")
    elif sys.stdout.isatty():
        raise UsageError("--raw writes bytes: send them to a file or a pipe")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(encode(program))
    return 0
