"""Run a Linux program you do not trust under a policy, and log what it tried.

Example:
  run-untrusted-binary -p ostoo --audit run.jsonl -- ./program argument
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from sandbox import __version__
from sandbox.audit.text import one_line
from sandbox.cli.limits import given_places, limited, waived, with_files
from sandbox.cli.outputs import Outputs
from sandbox.errors import SandboxError, UsageError
from sandbox.launch.places import Places
from sandbox.outcome import Outcome
from sandbox.pipes import write_all
from sandbox.policy.load import load
from sandbox.request import Request, check_guest, check_places, effective, missing_stdio
from sandbox.runner import Result, setup_error, supervise

NAME = "run-untrusted-binary"
EPILOG = """\
exit status:
  the guest's own     it exited
  128 + N             it died of signal N (159: killed by the policy, SIGSYS)
  124                 a limit ended the run
  125                 wrong command line or policy, or the sandbox failed; the guest is dead
  126, 127            the program was found but cannot run here; there is no such program

example:
  run-untrusted-binary -p ostoo --audit run.jsonl -- ./program argument
"""


_NO_RESULT = Result(Outcome("setup-error", ""), 125)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see --help)")


def _parser() -> _Parser:
    parser = _Parser(
        prog=NAME,
        usage=f"{NAME} [OPTIONS] [--] PROGRAM [ARG...]",
        description="Run a Linux program you do not trust under a policy, and log what it tried.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_outputs(parser)
    _add_limits(parser)
    _add_places(parser)
    _add_process(parser)
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="PROGRAM", help=argparse.SUPPRESS)
    return parser


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "-p", "--policy", default="default", metavar="NAME|FILE",
        help="a shipped policy or a file (default: %(default)s)",
    )  # fmt: skip
    add("--audit", metavar="FILE", help="write the audit log, JSON Lines; - is standard error")
    add(
        "--audit-level", choices=("decisions", "all"), default="decisions",
        help="decisions: what was supervised or refused; all: every system call with its result",
    )  # fmt: skip
    add("--outcome", metavar="FILE", help="write how the run ended as one JSON object")
    add("--dry-run", action="store_true", help="say what would be enforced here, and run nothing")
    add("-v", "--verbose", action="store_true", help="say how the run ended")
    add("-q", "--quiet", action="store_true", help="no hints")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--timeout", metavar="S", help="wall-clock limit, seconds (or 2m, 1h)")
    add("--cpu", metavar="S", help="CPU time of all processes of the run together")
    add("--memory", metavar="SIZE", help="memory of all processes of the run together")
    add("--processes", metavar="N", help="processes and threads alive at once")
    add("--output", metavar="SIZE", help="bytes on standard output and error together")
    add("--file-size", metavar="SIZE", help="largest file the guest may write")
    add("--open-files", metavar="N", help="how many descriptors a guest process may have")
    add("--audit-size", metavar="SIZE", help="how large the audit log may grow")
    add(
        "--waive", action="append", default=[], metavar="NAME=REASON",
        help="loosen a limit of the policy, and say why",
    )  # fmt: skip


def _add_places(parser: argparse.ArgumentParser) -> None:
    for right in ("read", "write", "exec"):
        does = "execute" if right == "exec" else right
        parser.add_argument(
            f"--{right}", action="append", default=[], metavar="PATH",
            help=f"let the guest {does} this too; repeatable",
        )  # fmt: skip


def _add_process(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cwd", metavar="DIR", help="the guest's working directory")
    add("--env", action="append", default=[], metavar="NAME[=VALUE]", help="add to the guest's environment")
    add("--user", metavar="NAME", help="when started by root: who the guest becomes (default: nobody)")
    add(
        "--vfork", choices=("emulate", "kernel"),
        help="who blocks the parent of a spawn (default: the policy's)",
    )  # fmt: skip


def _command(words: list[str], *, optional: bool) -> tuple[str, ...]:
    if words[:1] == ["--"]:
        words = words[1:]
    if not words and not optional:
        raise UsageError("no program given (see --help)")
    return tuple(words)


def say(text: str, result: Result | None = None) -> None:
    """One line on standard error, whatever the text holds; none where its reader does not read when the
    result has no more patience, or a signal asks for an end."""
    stalled = (result or _NO_RESULT).check_patience
    try:
        write_all(2, f"{NAME}: {one_line(text)}\n".encode("utf-8", "backslashreplace"), stalled)
    except OSError:
        pass


def _run(arguments: list[str]) -> int:
    missing = missing_stdio()
    options = _parser().parse_args(arguments)
    outputs = Outputs(options.audit, options.outcome)
    if options.dry_run:
        return _dry_run(_request(options, missing), outputs)
    try:
        outputs.find_log()
        if options.audit == "-" and 2 in missing:
            raise UsageError("--audit -: standard error is closed")
        request = _request(options, missing)
        places = _accepted(request, outputs)
    except (SandboxError, OSError) as error:
        outputs.refuse(error)
        raise
    with places:
        result = _supervise(request, places, outputs)
    _report(options, result)
    outputs.tell(result)
    return result.exit_status


def _dry_run(request: Request, outputs: Outputs) -> int:
    from sandbox.cli import dry_run

    outputs.find_log()
    with request.places() as places:
        check_places(request, places, outputs.log, outputs.outcome)
        return dry_run.show(request, places, logged=outputs.audit is not None)


def _accepted(request: Request, outputs: Outputs) -> Places:
    """The places of a run whose every part is as it must be. Raises UsageError."""
    places = request.places()
    try:
        check_places(request, places, outputs.log, outputs.outcome)
        check_guest(request, places)
    except BaseException:
        places.close()
        raise
    return places


def _supervise(request: Request, places: Places, outputs: Outputs) -> Result:
    log = outputs.begin()
    try:
        return supervise(request, places, log, os.environ)
    except (SandboxError, OSError) as error:
        outputs.tell(Result(setup_error(error), 125))
        raise


def _request(options: argparse.Namespace, missing: frozenset[int]) -> Request:
    waivers = waived(options.waive)
    given = given_places(options)
    policy = with_files(limited(load(options.policy), options, waivers), given)
    policy = effective(policy, vfork=options.vfork)
    command = _command(options.command, optional=options.dry_run)
    return Request(
        command, policy, options.cwd, tuple(options.env), waivers, missing,
        options.audit_level, options.user, given,
    )  # fmt: skip


def _report(options: argparse.Namespace, result: Result) -> None:
    outcome = result.outcome
    bad = result.forced or outcome.status in ("violation", "limit", "setup-error", "internal-error")
    if options.verbose or bad:
        say(outcome.reason, result)
    if result.warning:
        say(f"warning: {result.warning}", result)
    if result.hint and not options.quiet:
        say(f"hint: {result.hint}", result)


def main(argv: list[str] | None = None) -> int:
    """The console script. Every error is one line and a documented exit status."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except SandboxError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except RecursionError:
        say("input nested too deeply")
        return 125
    except MemoryError:
        say("out of memory")
        return 125
    except OSError as error:
        say(_named(error))
        return 125


def _named(error: OSError) -> str:
    """Such as `/dev/null: Too many open files`."""
    text = error.strerror or str(error) or type(error).__name__
    return text if error.filename is None else f"{error.filename}: {text}"


if __name__ == "__main__":
    sys.exit(main())
