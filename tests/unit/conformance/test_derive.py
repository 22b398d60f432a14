"""Probes derived from a policy: which there are, what is expected, and what is left alone."""

from __future__ import annotations

import pytest

from sandbox.conformance import derive, harmless
from sandbox.conformance.derive import ARENA, STACK, Derived
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite
from sandbox.policy.load import load, loads
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, X32_BIT, Call

HEAD = 'schema = 1\nname = "t"\nunlisted = "ENOSYS"\n'


def policy(text: str) -> Policy:
    return loads(HEAD + text)


def probes(text: str, call: str) -> list[Derived]:
    found = derive.derive(policy(text)).probes
    return [one for one in found if one.call.nr == table.NUMBERS[call]]


def values(found: list[Derived], index: int) -> set[int]:
    return {one.call.args[index] for one in found}


@pytest.mark.parametrize("name", ["default", "ostoo", "compute", "workspace", "observe"])
def test_every_number_is_tried_once_and_none_twice(name: str) -> None:
    found = derive.derive(load(name)).probes
    assert set(range(derive.LAST_NUMBER + 1)) <= {one.call.nr for one in found}
    assert {*derive.ODD_NUMBERS, *derive.FOREIGN_NUMBERS} <= {one.call.nr for one in found}
    assert len({one.call for one in found}) == len({one.id for one in found}) == len(found)


@pytest.mark.parametrize("name", ["default", "ostoo", "compute", "workspace"])
def test_every_rule_of_the_policy_itself_decides_a_probe(name: str) -> None:
    shipped = load(name)
    own = {
        rule.id for rules in shipped.rules.values() for rule in rules if rule.file.endswith(f"{name}.toml")
    }
    decided = {one.verdict.rule for one in derive.derive(shipped).probes}
    assert own
    assert own <= decided


@pytest.mark.parametrize(
    ("test", "edges"),
    [
        ("{ gt = 4096 }", {4095, 4096, 4097}),
        ("{ ge = 8, lt = 16 }", {7, 8, 9, 15, 16, 17}),
        ("{ in = [3, 9] }", {2, 3, 4, 8, 9, 10}),
        ("{ ne = 5 }", {4, 5, 6, 5 ^ 32, 5 ^ 1 << 63}),
        ("7", {6, 7, 8, 7 ^ 1 << 40}),
        ("{ mask = 0xf0, eq = 0x50 }", {0x50, 0x40, 0x70, 0x10, 0xD0, 0, 0xF0}),
    ],
)
def test_both_sides_of_each_edge_are_tried(test: str, edges: set[int]) -> None:
    text = f'[[rule]]\nid = "r"\ncall = "getcwd"\nwhen = {{ size = {test} }}\nverdict = "EPERM"\n'
    found = probes(text, "getcwd")
    assert edges <= values(found, 1)
    assert {one.verdict.rule for one in found} == {"r", "unlisted"}


def test_other_arguments_are_such_that_the_rule_decides() -> None:
    text = (
        '[[rule]]\nid = "r"\ncall = "socket"\nwhen = { domain = "AF_INET", type = { ge = 3 } }\n'
        'unless = { protocol = 6 }\nverdict = "EPERM"\n'
    )
    found = {one.call.args[:3]: one.verdict.rule for one in probes(text, "socket")}
    assert found[(2, 3, 0)] == "r"
    assert found[(2, 2, 0)] == "unlisted"
    assert found[(3, 3, 0)] == "unlisted"
    assert found[(2, 3, 6)] == "unlisted"
    assert found[(2, 3, 7)] == "r"


def test_the_upper_half_of_a_register_does_not_count_for_an_int() -> None:
    text = '[[rule]]\nid = "r"\ncall = "socket"\nwhen = { domain = 2 }\nverdict = "EPERM"\n'
    found = {one.call.args[0]: one.verdict.rule for one in probes(text, "socket")}
    assert (found[2 | 1 << 63], found[3 | 1 << 32]) == ("r", "unlisted")


def test_a_spawn_has_a_stack_and_is_tried() -> None:
    found = [
        one for one in derive.derive(load("ostoo")).probes if isinstance(one.verdict, Allow) and not one.skip
    ]
    spawns = [one for one in found if one.call.nr == table.NUMBERS["clone"]]
    assert Call(56, (0x4111, STACK, 0, 0, 0, 0)) in [one.call for one in spawns]
    assert {one.call.args[0] for one in spawns} == {0x4111}


def test_an_emulation_gets_memory_for_its_answer() -> None:
    found = {one.id: one.verdict for one in derive.derive(load("ostoo")).probes}
    clock = found["clock_gettime(tp=memory)"]
    assert isinstance(clock, Return)
    assert [write.address for write in clock.writes] == [ARENA]


@pytest.mark.parametrize("nr", derive.FOREIGN_NUMBERS)
def test_foreign_numbers_kill(nr: int) -> None:
    assert X32_BIT <= nr < 0x8000_0000
    assert isinstance(derive.expected(load("observe"), Call(nr)), Kill)


def test_numbers_that_cost_a_process_each_are_fewer() -> None:
    deadly = loads('schema = 1\nname = "t"\nunlisted = "kill"\n')
    found = derive.derive(deadly)
    tried = {one.call.nr for one in found.probes}
    assert set(table.NUMBERS.values()) <= tried
    assert len(tried) < len({one.call.nr for one in derive.derive(policy("")).probes})
    assert any("unlisted calls kill" in note for note in found.notes)


def test_a_condition_with_too_many_edges_is_cut_and_says_so() -> None:
    many = ", ".join(str(3 * one) for one in range(derive.MAX_EDGES))
    text = (
        f'[[rule]]\nid = "r"\ncall = "getcwd"\nwhen = {{ size = {{ in = [{many}] }} }}\nverdict = "EPERM"\n'
    )
    found = derive.derive(policy(text))
    assert [note for note in found.notes if note.startswith(f"rule r: {derive.MAX_EDGES} of ")]


# ---- harm ----


@pytest.mark.parametrize(
    ("call", "args", "harmful"),
    [
        ("exit", (0,), True),
        ("pause", (), True),
        ("kill", (0, 9), True),
        ("kill", (0, 0), False),
        ("kill", (0x7FFF_FFFE, 9), False),
        ("munmap", (0, 1 << 40), True),
        ("munmap", (0, 0), False),
        ("mmap", (0, 4096, 0, 0x32, MASK64, 0), True),
        ("seccomp", (0, 0, 0), True),
        ("prctl", (4, 0), True),
        ("prctl", (15, 0), False),
        ("unshare", (0x1000_0000,), True),
        ("clone", (0x11, 0), False),
        ("clone", (0x4111, STACK), False),
        ("clone", (0x4111, 0), True),
        ("clone", (0x3D0F00, STACK), True),
        ("close", (1,), True),
        ("close", (MASK64,), False),
        ("close_range", (3, MASK64), True),
        ("msgget", (0, 0), True),
        ("shmget", (77, 0, 0o1600), True),
        ("select", (MASK64, 0, 0, 0, 0), False),
    ],
)
def test_what_harms_a_prober_is_left_alone(call: str, args: tuple[int, ...], harmful: bool) -> None:
    padded = (*args, 0, 0, 0, 0, 0, 0)
    six = (padded[0], padded[1], padded[2], padded[3], padded[4], padded[5])
    assert bool(harmless.danger(Call(table.NUMBERS[call], six))) is harmful


def test_only_what_runs_can_harm() -> None:
    refused = [one for one in derive.derive(policy("")).probes if one.call.nr == table.NUMBERS["pause"]]
    assert [one.skip for one in refused] == [""]
    allowed = probes('[calls]\nallow = ["pause"]\n', "pause")
    assert [one.skip for one in allowed] == ["waits for a signal that does not come"]


def test_a_rewrite_is_judged_by_what_the_kernel_gets() -> None:
    text = '[[rule]]\nid = "r"\ncall = "prctl"\nrewrite = { option = 4 }\n'
    assert all(one.skip for one in probes(text, "prctl") if isinstance(one.verdict, Rewrite))


@pytest.mark.parametrize("nr", sorted(table.NUMBERS.values()))
def test_harmless_arguments_are_harmless_or_the_call_is_named(nr: int) -> None:
    call = Call(nr, harmless.base(nr))
    named = table.name(nr) in harmless._UNSAFE
    assert bool(harmless.danger(call)) is named


@pytest.mark.parametrize("name", sorted({*harmless._BASE, *harmless._UNSAFE, *harmless._CHECKS}))
def test_names_of_calls_and_arguments_are_real(name: str) -> None:
    known = {arg.name for arg in table.arguments(table.NUMBERS[name])}
    assert harmless._BASE.get(name, {}).keys() <= known


def test_a_limit_that_ends_the_run_is_not_reached() -> None:
    found = probes('[calls]\nallow = ["fork"]\n[process]\nmax = 1\n', "fork")
    assert [one.skip for one in found] == ["reaches [process] max, which ends the run"]
    assert isinstance(found[0].verdict, Refuse)


OBSERVED = (
    'schema = 1\nname = "t"\nextends = "observe"\n'
    '[[rule]]\nid = "r"\ncall = "{}"\nwhen = {}\nverdict = "EINVAL"\n'
)


@pytest.mark.parametrize(
    ("call", "when", "why"),
    [
        ("select", "{ nfds = { gt = 1024 } }", "would wait for ever"),
        ("pselect6", "{ nfds = { gt = 1024 } }", "would wait for ever"),
        ("ppoll", "{ nfds = { gt = 1024 } }", "would wait for ever"),
        ("poll", "{ nfds = { lt = 8 }, timeout = { lt = 0 } }", "would wait for ever"),
        ("futex", "{ uaddr = 0 }", "would wait for ever"),
        ("nanosleep", "{ duration = 0 }", "would wait for ever"),
        ("clock_nanosleep", "{ t = 0 }", "would wait for ever"),
        ("munmap", "{ addr = 0, length = { gt = 4096 } }", "would change the prober's memory"),
        ("mprotect", "{ addr = 0, len = { gt = 4096 } }", "would change the prober's memory"),
    ],
)
def test_what_would_block_or_break_a_prober_is_told(call: str, when: str, why: str) -> None:
    found = derive.derive(loads(OBSERVED.format(call, when))).probes
    own = [one for one in found if one.call.nr == table.NUMBERS[call]]
    assert {one.skip for one in own if isinstance(one.verdict, Allow)} <= {"", why}
    assert [one for one in own if one.skip == why]
    assert [one for one in own if isinstance(one.verdict, Refuse) and not one.skip]


@pytest.mark.parametrize("call", ["getcwd", "set_robust_list", "rt_sigprocmask"])
def test_no_pointer_that_is_let_through_leads_into_the_prober(call: str) -> None:
    pointer = next(arg.name for arg in table.arguments(table.NUMBERS[call]) if arg.kind == "ptr")
    found = derive.derive(loads(OBSERVED.format(call, f"{{ {pointer} = 0 }}"))).probes
    tried = [one for one in found if one.call.nr == table.NUMBERS[call] and not one.skip]
    assert not [one for one in tried if any(0x1000 <= value < 1 << 45 for value in one.call.args)]
    assert {0, 1, 1 << 63} <= {value for one in tried for value in one.call.args}


def test_an_edge_in_the_prober_itself_is_told() -> None:
    found = derive.derive(loads(OBSERVED.format("getcwd", "{ buf = { lt = 0x500000 } }"))).probes
    skipped = {one.call.args[0] for one in found if one.skip == "points into the prober's own memory"}
    assert skipped == {0x500000, 0x500001}
