"""Everything around a run: its audit log, its policy, and whether both hold on this kernel.

Example:
  sandboxctl audit show run.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from sandbox import __version__
from sandbox.audit.text import one_line
from sandbox.errors import SandboxError

NAME = "sandboxctl"
WRONG_USE = 2


class Verb(NamedTuple):
    """A verb: its help, and the module of each of its commands, or its own where it has none.

    A command's module has a docstring (its help, the first line its summary),
    `configure(parser: argparse.ArgumentParser) -> None` and `run(options: argparse.Namespace) -> int`.
    """

    help: str
    commands: dict[str, str] = {}
    module: str = ""


VERBS = {
    "attack": Verb("attack the sandbox on this kernel, and print what held", module="sandbox.cli.attack"),
    "audit": Verb(
        "read and check audit logs",
        {
            "show": "sandbox.cli.audit_show",
            "summary": "sandbox.cli.audit_summary",
            "verify": "sandbox.cli.audit_verify",
        },
    ),
    "doctor": Verb("say what this kernel and this user can enforce", module="sandbox.cli.doctor"),
    "conform": Verb("try every promise of a policy on this kernel", module="sandbox.cli.conform"),
    "policy": Verb(
        "read, check, explain and exchange policies",
        {
            "list": "sandbox.cli.policy_list",
            "show": "sandbox.cli.policy_show",
            "check": "sandbox.cli.policy_check",
            "explain": "sandbox.cli.policy_explain",
            "diff": "sandbox.cli.policy_diff",
            "bpf": "sandbox.cli.policy_bpf",
            "schema": "sandbox.cli.policy_schema",
            "import-oci": "sandbox.cli.policy_import_oci",
            "export-oci": "sandbox.cli.policy_export_oci",
        },
    ),
}


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _described(argparse.ArgumentParser(prog=NAME, allow_abbrev=False), __doc__ or "")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, verb in VERBS.items():
        if verb.module:
            if name in words:
                _add(verbs, name, verb.module)
            else:
                verbs.add_parser(name, help=verb.help)
            continue
        group = verbs.add_parser(name, help=verb.help, description=verb.help, allow_abbrev=False)
        commands = group.add_subparsers(metavar="COMMAND", required=True)
        if name in words:
            for command, module in verb.commands.items():
                _add(commands, command, module)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], command: str, module_name: str
) -> None:
    module = import_module(module_name)
    text = module.__doc__ or ""
    parser = commands.add_parser(command, help=text.split("\n", 1)[0].rstrip("."), allow_abbrev=False)
    module.configure(_described(parser, text))
    parser.set_defaults(run=module.run)


def _described(parser: argparse.ArgumentParser, docstring: str) -> argparse.ArgumentParser:
    """Take a docstring's text as help and its example as the last words of the help."""
    text, _, example = docstring.partition("Example:")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = text.strip()
    parser.epilog = f"example:{example.rstrip()}"
    return parser


def say(text: str) -> None:
    """One line on standard error, beginning with the program's name, nothing unprintable in it."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):
        print(f"{NAME}: {one_line(text)}", file=sys.stderr)


def _run(words: Sequence[str]) -> int:
    try:
        options = _parser(words).parse_args(words)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    try:
        code: int = options.run(options)
    except SandboxError as error:
        say(str(error))
        return WRONG_USE
    return code


def _forget_stdout() -> None:
    """Lose what is still buffered, which the interpreter would try to write once more, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def main(argv: Sequence[str] | None = None) -> int:
    """The console script: 0 all well, 1 findings, 2 wrong use or unreadable input.

    Ends silently where the reader of its output goes away.
    """
    if sys.stdout is None:
        say("standard output is closed")
        return WRONG_USE
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        say(f"cannot write: {error.strerror}")
        _forget_stdout()
        return WRONG_USE
    except KeyboardInterrupt:
        _forget_stdout()
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
