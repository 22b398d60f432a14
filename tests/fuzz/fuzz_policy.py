"""Feeds changed and made-up policies to everything that reads policies, for a while.

    python tests/fuzz/fuzz_policy.py [SECONDS [SEED]]

Whatever a policy file holds, it is either refused with a PolicyError of one printable line, or it loads; then
its filter, its simulation, its decisions, its checks, its printed form and its explanations must agree. The
same seed makes the same inputs. Ends with 0 and one line, or with 1 and the input that did it.
"""

from __future__ import annotations

import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from sandbox.errors import PolicyError, SetupError
from sandbox.policy.actions import ACTIONS, NEVER_REWRITTEN
from sandbox.policy.emulations import EMULATION_CALLS
from sandbox.policy.groups import GROUPS
from sandbox.policy.layers import KEYS
from sandbox.policy.load import Loaded, find_shipped, load, loads, loads_layers, shipped
from sandbox.policy.model import Policy
from sandbox.policy.numbers import POINTERS_TO_CONTENT
from sandbox.policytools.boxes import Budget
from sandbox.policytools.check import findings
from sandbox.policytools.diff import compare
from sandbox.policytools.explain import as_dict, as_text, explain
from sandbox.policytools.findings import FORMS
from sandbox.policytools.show import render
from sandbox.rules import SUPERVISED
from sandbox.seccomp.compile import compile_policy, expected
from sandbox.seccomp.simulate import Simulator
from sandbox.seccomp.table import action_for
from sandbox.syscalls import errnos, flags, table
from sandbox.syscalls.call import MASK64, X32_BIT, Call

HANG_SECONDS = 60
EDGES = (
    0,
    1,
    9,
    0x11,
    0x100,
    0x4111,
    0xFFFF_FF9C,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 63,
    MASK64,
)
NASTY = (
    "\0", "\x1b[2J", "\u202e", "\ud800", "'", '"', '"""', "[[", "]]", "{", "}", "=", "\n", "\r", "\\", "#",
    "1e999", "-1", "0x", "nan", "9" * 5000, "[" * 40, "a." * 40, "true", "[]", "{}", '""',
    "18446744073709551616",
)  # fmt: skip

CALLS = sorted(table.NUMBERS)


class HangError(BaseException):
    """One input took longer than any input may."""


class WrongError(Exception):
    """Two parts of the program say different things about one policy."""


# ---- inputs ----


def words() -> list[str]:
    """What means something in a policy."""
    known = [
        "SIGKILL",
        "AT_FDCWD",
        "allow",
        "watch",
        "kill",
        "eq",
        "ne",
        "in",
        "lt",
        "le",
        "gt",
        "ge",
        "mask",
    ]
    known += [*KEYS, *ACTIONS, *EMULATION_CALLS, *sorted(GROUPS), *CALLS, *list(errnos.NUMBERS)[:60]]
    return known + [name for one in ("clone", "open", "mmap_prot", "ioctl") for name in flags.names(one)]


WORDS = words()


def mutated(rng: random.Random, texts: list[str]) -> str:
    """One of the texts with a few changes."""
    text = rng.choice(texts)
    for _ in range(rng.choice((1, 1, 2, 5))):
        text = rng.choice(CHANGES)(rng, text)
    if rng.random() < 0.05:
        other = rng.choice(texts)
        text = text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]
    return text


def _lines(rng: random.Random, text: str) -> str:
    """Take lines out, double them, or move them."""
    lines = text.split("\n")
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    taken = lines[at : at + rng.choice((1, 1, 3, 10))]
    if rng.random() < 0.7:
        del lines[at : at + len(taken)]
    if rng.random() < 0.7:
        lines[to:to] = taken
    return "\n".join(lines)


def _characters(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    new = rng.choice((*NASTY, chr(rng.randrange(128)), chr(rng.randrange(0x3000)), ""))
    return text[:at] + new + text[at + rng.choice((0, 1, 1, 4)) :]


def _word(rng: random.Random, text: str) -> str:
    """Put another word in the place of one."""
    found = text.replace('"', " ").replace(",", " ").replace("|", " ").split()
    if not found:
        return text
    old = rng.choice(found)
    at = text.find(old, rng.randrange(len(text)))
    return text if at < 0 else text[:at] + rng.choice(WORDS) + text[at + len(old) :]


def _number(rng: random.Random, text: str) -> str:
    digits = [at for at, char in enumerate(text) if char.isdigit()]
    at = rng.choice(digits) if digits else 0
    return text[:at] + str(rng.choice((*EDGES, -1, rng.getrandbits(64)))) + text[at + 1 :]


CHANGES: tuple[Callable[[random.Random, str], str], ...] = (
    _lines,
    _lines,
    _characters,
    _word,
    _word,
    _number,
)


def generated(rng: random.Random) -> str:
    """A policy that is well-formed for the most part."""
    parts = ["schema = 1", f'unlisted = "{rng.choice(("ENOSYS", "EPERM", "kill"))}"']
    if rng.random() < 0.2:
        parts.append(f'extends = "{rng.choice(shipped())}"')
    few = rng.sample(CALLS, rng.choice((1, 2, 4)))
    listed = [f'"{one}"' for one in rng.sample((*CALLS, *sorted(GROUPS)), rng.randrange(6))]
    parts.append(f"[calls]\n{rng.choice(('allow', 'watch', 'kill'))} = [{', '.join(listed)}]")
    parts += [_rule(rng, number, few) for number in range(rng.choice((1, 3, 8, 30)))]
    if rng.random() < 0.3:
        parts.append(f"[process]\nthreads = {rng.choice(('true', 'false'))}\nmax = {rng.randrange(1, 99)}")
    if rng.random() < 0.3:
        parts.append('[[waiver]]\nname = "ptrace"\nreason = "for the fuzzer"')
    return "\n".join(parts)


def _rule(rng: random.Random, number: int, calls: list[str]) -> str:
    call = rng.choice(calls)
    named = f'"{call}"' if rng.random() < 0.8 else "[" + ", ".join(f'"{one}"' for one in calls) + "]"
    lines = ["[[rule]]", f'id = "r{number}"', f"call = {named}"]
    args = table.arguments(table.NUMBERS[call])
    for key in ("when", "unless"):
        if args and rng.random() < 0.6:
            chosen = rng.sample(args, min(len(args), rng.choice((1, 1, 2))))
            lines.append(f"{key} = {{ {', '.join(f'{arg.name} = {_test(rng, arg)}' for arg in chosen)} }}")
    errno = rng.choice(("EPERM", "EINVAL", "allow", "watch", "kill"))
    action = f'verdict = "{errno}"' if rng.random() < 0.7 else f"return = {rng.choice((0, 1, 7))}"
    if args and call not in NEVER_REWRITTEN and rng.random() < 0.15:
        arg = rng.choice(args)
        action = f"rewrite = {{ {arg.name} = {_value(rng, arg)} }}"
    quiet = action.startswith(("return", 'verdict = "E')) and rng.random() < 0.3
    return "\n".join([*lines, action, *(["quiet = true"] if quiet else [])])


def _test(rng: random.Random, arg: table.Arg) -> str:
    first, second = _value(rng, arg), _value(rng, arg)
    if arg.kind in POINTERS_TO_CONTENT:
        return rng.choice(("0", "{ ne = 0 }"))
    forms = (
        first,
        f"{{ ne = {first} }}",
        f"{{ in = [{first}, {second}] }}",
        f"{{ {rng.choice(('lt', 'le', 'gt', 'ge'))} = {first} }}",
        f"{{ ge = {first}, le = {second} }}",
        f"{{ mask = {_bits(rng, arg)}, eq = 0 }}",
        f"{{ mask = {_bits(rng, arg)}, ne = 0 }}",
    )
    return rng.choice(forms)


def _bits(rng: random.Random, arg: table.Arg) -> str:
    return str(rng.choice((1, 2, 3, 5, 0x11, 0xFF, 1 << 15, 1 + rng.getrandbits(arg.bits - 1))))


def _value(rng: random.Random, arg: table.Arg) -> str:
    if arg.kind in POINTERS_TO_CONTENT:
        return "0"
    if arg.flags and rng.random() < 0.5:
        return f'"{rng.choice(flags.names(arg.flags))}"'
    value = rng.choice((*EDGES, rng.randrange(64)))
    return str(value & ((1 << arg.bits) - 1 if not arg.signed else (1 << (arg.bits - 1)) - 1))


# ---- what must hold ----


def examine(rng: random.Random, text: str) -> None:
    """Everything done with a policy. Raises where any of it fails, or two answers differ."""
    try:
        loaded = loads_layers(text, file="fuzz.toml")
    except PolicyError as error:
        require(str(error).isprintable() and error.line > 0, f"a bad message: {error!r}")
        return
    calls = [a_call(rng, loaded.policy) for _ in range(30)]
    policy, again = loaded.policy, loads(render(loaded.policy), file="fuzz.toml")
    for call in calls:
        require(policy.decide(call) == again.decide(call), f"show changes the decision on {call}")
    require(not any(compare_all(policy, again)), "diff finds a difference in what show prints")
    for lines in (form(findings(loaded, Budget(100_000, 10_000))) for form in FORMS.values()):
        require(
            all(one.isprintable() for line in lines for one in line.split("\n")), "an unprintable finding"
        )
    filtered(loaded, calls)


def compare_all(policy: Policy, again: Policy) -> Iterator[Any]:
    """What differs, as far as it can be told."""
    changes, settings = compare(policy, again, Budget(200_000, 20_000))
    yield from (change for change in changes if change.before is not None)
    yield from settings


def filtered(loaded: Loaded, calls: list[Call]) -> None:
    """The filter, where there can be one, does what the policy says."""
    policy = loaded.policy
    try:
        run = Simulator(compile_policy(policy, SUPERVISED))
    except SetupError as error:
        require(str(error).isprintable(), f"a bad message: {error!r}")
        return
    for call in calls:
        action = run.action(call)
        require(action == expected(policy, SUPERVISED, call), f"the filter is wrong about {call}")
        if call.nr < X32_BIT:
            decided = action_for(policy.decide(call), supervised=call.nr in SUPERVISED)
            # A rewrite that changes nothing is allowed, but the filter can't know that.
            require(action == decided or rewrites(policy, call), f"filter and policy differ on {call}")
    found = explain(loaded, calls[0].nr, dict(enumerate(calls[0].args)))
    require(all(line.isprintable() for line in as_text(found)), "an unprintable explanation")
    as_dict(found)


def rewrites(policy: Policy, call: Call) -> bool:
    """True where a rule for the call changes arguments."""
    return any(hasattr(rule.action, "changes") for rule in policy.rules.get(call.nr, ()))


def a_call(rng: random.Random, policy: Policy) -> Call:
    """A call that rules often meet."""
    odd = (rng.randrange(600), X32_BIT | 39, 1 << 31, (1 << 32) - 1)
    nr = rng.choice(sorted(policy.rules)) if policy.rules and rng.random() < 0.8 else rng.choice(odd)
    tests = [test for rule in policy.rules.get(nr, ()) for test in (*rule.when, *rule.unless)]
    near = [value + rng.choice((-1, 0, 1)) & MASK64 for test in tests for value in test.values[:4]]
    a, b, c, d, e, f = (rng.choice((*near, *EDGES, rng.getrandbits(64))) for _ in range(6))
    return Call(nr, (a, b, c, d, e, f))


def require(holds: bool, message: str) -> None:
    if not holds:
        raise WrongError(message)


# ---- the run ----


def main(argv: list[str]) -> int:
    """Run for SECONDS (60), beginning with SEED (1)."""
    seconds, seed = float(argv[0]) if argv else 60.0, int(argv[1]) if argv[1:] else 1
    texts = [render(load(name)) for name in shipped()]
    for name in shipped():
        with open(find_shipped(name), encoding="utf-8") as file:
            texts.append(file.read())
    signal.signal(signal.SIGALRM, _hang)
    end, inputs = time.monotonic() + seconds, 0
    while inputs == 0 or time.monotonic() < end:
        rng = random.Random(f"{seed}/{inputs}")
        text = generated(rng) if rng.random() < 0.4 else mutated(rng, texts)
        if not _survived(rng, text):
            print(f"input {inputs} of seed {seed}:\n{text!r}", file=sys.stderr)
            return 1
        inputs += 1
    print(f"{inputs} inputs, nothing found")
    return 0


def _survived(rng: random.Random, text: str) -> bool:
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        examine(rng, text)
    except (Exception, HangError):
        traceback.print_exc()
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def _hang(number: int, frame: FrameType | None) -> None:
    raise HangError


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
