"""What the options of a run change in its policy: limits tighten, and loosen only where that is waived."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from sandbox.errors import UsageError
from sandbox.launch.places import Given
from sandbox.policy.model import Limits, Policy
from sandbox.policy.values import DURATIONS, SIZES, parse_duration, parse_size
from sandbox.request import WAIVERS


class Option(NamedTuple):
    """A limit's option: its field in `Limits` ("max" is `[process]`'s), and what its value is."""

    flag: str
    field: str
    kind: str

    @property
    def waiver(self) -> str:
        """The name under which loosening it is waived."""
        return "processes" if self.field == "max" else self.field.replace("_", "-")


OPTIONS = (
    Option("--timeout", "wall", "duration"),
    Option("--cpu", "cpu", "duration"),
    Option("--memory", "memory", "size"),
    Option("--processes", "max", "count"),
    Option("--output", "output", "size"),
    Option("--file-size", "file_size", "size"),
    Option("--open-files", "open_files", "count"),
    Option("--audit-size", "audit_size", "size"),
)
_COUNT_LIMIT = 1 << 30
_PLACES = ("--read", "--write", "--exec")


def _value(option: Option, text: str) -> float | int:
    try:
        if option.kind == "duration":
            return parse_duration(text)
        if option.kind == "size":
            return parse_size(text)
    except ValueError:
        allowed = DURATIONS if option.kind == "duration" else SIZES
        raise UsageError(f"{option.flag} {text!r}: needed is {allowed}") from None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= _COUNT_LIMIT):
        raise UsageError(f"{option.flag} {text!r}: a positive whole number is needed")
    return int(text)


def waived(entries: list[str]) -> tuple[str, ...]:
    """The names of `--waive NAME=REASON`. Raises UsageError."""
    names = []
    for entry in entries:
        name, _, reason = entry.partition("=")
        if name not in WAIVERS or not reason.strip():
            raise UsageError(f"--waive {entry!r}: NAME=REASON is needed, NAME one of {', '.join(WAIVERS)}")
        names.append(name)
    return tuple(names)


def limited(policy: Policy, options: argparse.Namespace, waivers: tuple[str, ...]) -> Policy:
    """The policy with the options' limits. Raises UsageError for one above its own that is not waived."""
    limits: dict[str, float | int] = {}
    process = policy.process
    for option in OPTIONS:
        text = getattr(options, option.flag[2:].replace("-", "_"))
        if text is None:
            continue
        value = _value(option, text)
        own = process.max if option.field == "max" else getattr(policy.limits, option.field)
        if own is not None and value > own and option.waiver not in waivers:
            raise UsageError(
                f"{option.flag} {text} is above the policy's {own if isinstance(own, int) else f'{own:g}'}; "
                f"loosen it with --waive {option.waiver}=REASON"
            )
        if option.field == "max":
            process = process._replace(max=int(value))
        else:
            limits[option.field] = value
    return policy._replace(limits=Limits(**(policy.limits._asdict() | limits)), process=process)


def given_places(options: argparse.Namespace) -> tuple[Given, ...]:
    """The paths of `--read`, `--write` and `--exec`, as they were given."""
    return tuple(Given(option, path) for option in _PLACES for path in getattr(options, option[2:]))


def with_files(policy: Policy, given: tuple[Given, ...]) -> Policy:
    """The policy with the paths that options name. Raises UsageError if it does not confine files."""
    if not given:
        return policy
    if policy.files is None:
        raise UsageError(
            f"policy {policy.name} does not confine files: --read, --write and --exec add nothing"
        )
    files = policy.files
    read, write, run = (tuple(one.text for one in given if one.option == option) for option in _PLACES)
    return policy._replace(
        files=files._replace(
            read=(*files.read, *read), write=(*files.write, *write), exec=(*files.exec, *run)
        )
    )
