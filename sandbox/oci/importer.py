"""A seccomp profile as a policy file's text, and what of the profile it could not keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sandbox.errors import PolicyError
from sandbox.oci.answers import Answer, answer
from sandbox.oci.profile import Entry, Profile, parse_profile
from sandbox.oci.resolve import Plan, resolve
from sandbox.oci.source import parse_json
from sandbox.oci.toml import calls_sections, comment, describe, quoted, rules
from sandbox.policy.load import loads
from sandbox.policy.model import ENOSYS
from sandbox.policy.rule_tables import is_name
from sandbox.policy.values import printable
from sandbox.syscalls import table

_GOARCH = "amd64"
_ELSE = "every other call"
_MOST_NAMES = 400
_MAKES_TASKS = table.NUMBERS["clone"]


class Target(NamedTuple):
    """For whom a profile's `includes` and `excludes` are resolved, always on x86-64.

    `caps` are the guest's capabilities, `kernel` the first two numbers of its kernel's version.
    """

    caps: frozenset[str] = frozenset()
    kernel: tuple[int, int] = (0, 0)


class Imported(NamedTuple):
    """A policy's text, and what of the profile is not in it exactly, a printable line each."""

    text: str
    losses: tuple[str, ...]


def import_profile(data: bytes, file: str, target: Target, name: str = "") -> Imported:
    """The policy that decides as the profile in these bytes of JSON does, and stricter where it can't.

    `file` names the profile in messages, and the policy where `name` is empty. The text loads. Raises
    PolicyError for a profile that is wrong or makes too large a policy.
    """
    profile = parse_profile(parse_json(data, file))
    losses = _general_losses(profile)
    chosen = [(entry, _against(entry, target)) for entry in profile.entries]
    plans, unknown = resolve(profile, (entry for entry, reason in chosen if not reason), losses)
    if unknown:
        losses[f"no x86-64 system calls, so left out: {_some(unknown)}"] = None
    left_out = [(entry, reason) for entry, reason in chosen if reason]
    lines = [*_header(profile, file, target, losses, left_out), *_policy(profile, plans, name or _stem(file))]
    text = "\n".join(lines) + "\n"
    _check(text, file)
    return Imported(text, tuple(losses))


def _check(text: str, file: str) -> None:
    try:
        loads(text, file="the imported policy")
    except PolicyError as error:
        raise PolicyError(f"the profile makes no policy: {error}", file=printable(file)) from None


def _stem(file: str) -> str:
    stem = file.rpartition("/")[2].partition(".")[0]
    return stem if is_name(stem) else "imported"


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name[:60]) for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _general_losses(profile: Profile) -> dict[str, None]:
    """What is lost of the profile as a whole."""
    losses = [f"{path}: unknown, and skipped as runtimes do" for path in profile.unknown[:_MOST_NAMES]]
    losses += [f"{arch}: its calls kill the guest under every policy" for arch in profile.architectures]
    # TSYNC concerns threads there are when a filter is installed; a guest's is before its first instruction.
    losses += [f"{flag}: no policy sets it" for flag in profile.flags if not flag.endswith("_TSYNC")]
    losses += ["listenerPath: no agent is asked"] if profile.listener else []
    default, loss = answer(profile.default)
    if loss:
        losses.append(f"defaultAction {profile.default.name}: {loss}")
    if default.kind not in ("kill", "errno"):
        losses.append(f"defaultAction {profile.default}: calls without a name are refused with ENOSYS")
    return dict.fromkeys(losses)


def _against(entry: Entry, target: Target) -> str:
    """Why an entry does not count for this guest, '' where it does (moby's setupSeccomp)."""
    least, most = entry.includes.min_kernel, entry.excludes.min_kernel
    missing = [cap for cap in entry.includes.caps if cap not in target.caps]
    if missing:
        return f"only with {_some(missing)}"
    if entry.includes.arches and _GOARCH not in entry.includes.arches:
        return f"only for {_some(list(entry.includes.arches))}"
    if least and target.kernel < least:
        return f"only from kernel {least[0]}.{least[1]}"
    had = [cap for cap in entry.excludes.caps if cap in target.caps]
    if had:
        return f"not with {_some(had)}"
    if _GOARCH in entry.excludes.arches:
        return f"not for {_GOARCH}"
    return f"not from kernel {most[0]}.{most[1]}" if most and target.kernel >= most else ""


def _header(
    profile: Profile, file: str, target: Target, losses: dict[str, None], left_out: list[tuple[Entry, str]]
) -> Iterator[str]:
    yield from comment(f"Imported from the seccomp profile {file}")
    caps = ", ".join(sorted(target.caps)) or "no capabilities"
    yield from comment(f"for a guest with {caps}, on x86-64 Linux {target.kernel[0]}.{target.kernel[1]}.")
    for remark in profile.comments:
        yield from ("#", *comment(remark))
    yield from (
        "#",
        *comment("Arguments are compared at the width the kernel reads them; libseccomp compares"),
    )
    yield from comment(
        "whole registers. runc answers ENOSYS to numbers above all those it finds in a profile;"
    )
    yield from comment("here they get `unlisted`.")
    if losses:
        yield from ("#", *comment("Not exactly as in the profile, and nowhere looser:"))
    for loss in losses:
        yield from comment(f"- {loss}")
    if left_out:
        yield from ("#", *comment("Entries that do not count for this guest:"))
    for entry, reason in left_out:
        yield from comment(f"- {describe([entry])}: {reason}: {_some(list(entry.names))}")


def _policy(profile: Profile, plans: list[Plan], name: str) -> Iterator[str]:
    default = answer(profile.default)[0]
    strict = default.kind in ("kill", "errno")
    unlisted = default if strict else Answer("errno", ENOSYS)
    yield from ("", "schema = 1", f"name = {quoted(name)}", 'description = "Imported from a seccomp profile"')
    yield f"unlisted = {quoted(unlisted.word)}"
    yield from calls_sections(_constant(plans, default, all_calls=not strict))
    yield from rules(plan for plan in plans if plan.checks)
    if _threads(plans, default):
        yield from ("", "# A profile knows no other limit on threads than clone's rules.")
        yield from ("[process]", "threads = true")


def _constant(plans: list[Plan], default: Answer, *, all_calls: bool) -> dict[Answer, dict[str, list[str]]]:
    """Names by answer and by what describes them, without those that `unlisted` covers."""
    found: dict[Answer, dict[str, list[str]]] = {}
    for plan in plans:
        if plan.entries:
            places = found.setdefault(plan.answer, {})
            places.setdefault(describe(plan.entries), []).append(table.name(plan.nr))
    if all_calls:
        decided = {table.name(plan.nr) for plan in plans if plan.entries}
        rest = [name for name in table.NUMBERS if name not in decided]
        found.setdefault(default, {})[_ELSE] = rest
    return found


def _threads(plans: list[Plan], default: Answer) -> bool:
    """True where the profile lets some clone run."""
    allowing = ("allow", "watch")
    for plan in plans:
        if plan.nr == _MAKES_TASKS:
            answers = [plan.answer, *(check.answer for check in plan.checks)]
            return any(one.kind in allowing for one in answers)
    return default.kind in allowing
