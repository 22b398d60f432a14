"""Findings about rules and lists, each case a policy and what must be said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import rules
from sandbox.errors import PolicyError
from sandbox.outcome import Allow
from sandbox.policy.load import loads_layers, shipped
from sandbox.policy.model import Policy
from sandbox.policytools.boxes import Budget
from sandbox.policytools.check import ALWAYS_REFUSED, check, findings
from sandbox.syscalls import table

Told = list[tuple[str, int]]


def rule(id_: str, call: str = '"dup3"', **keys: str) -> str:
    """A `[[rule]]` of six lines or fewer; `verdict` is EPERM unless given."""
    keys = {"verdict": '"EPERM"'} | keys if not keys.keys() & {"emulate", "return", "rewrite"} else keys
    lines = [f"{key.rstrip('_')} = {value}" for key, value in keys.items()]
    return "\n".join(["[[rule]]", f'id = "{id_}"', f"call = {call}", *lines]) + "\n"


def told(text: str, kinds: tuple[str, ...] = ()) -> Told:
    """Kinds and lines of the findings about `schema = 1` and this text, which begins in line 2."""
    found = findings(loads_layers("schema = 1\n" + text, file="t.toml"))
    assert all(one.file == "t.toml" for one in found)
    return [(one.kind, one.line) for one in found if not kinds or one.kind in kinds]


def message(text: str) -> str:
    """The message of the only finding."""
    [one] = findings(loads_layers("schema = 1\n" + text, file="t.toml"))
    return one.message


ONE = rule("a", when="{ oldfd = 1 }")

CASES: dict[str, tuple[str, Told]] = {
    "nothing": ("", []),
    "one rule": (ONE, []),
    "two apart": (ONE + rule("b", when="{ oldfd = 2 }"), []),
    "narrow before wide": (ONE + rule("b"), []),
    "wide before narrow": (rule("a") + rule("b", when="{ oldfd = 1 }"), [("shadowed", 6)]),
    "the same twice": (ONE + rule("b", when="{ oldfd = 1 }"), [("shadowed", 7)]),
    "the same, another verdict": (
        ONE + rule("b", when="{ oldfd = 1 }", verdict='"EINVAL"'),
        [("contradiction", 7)],
    ),
    "quiet is another verdict": (
        ONE + rule("b", when="{ oldfd = 1 }", verdict='"EPERM"', quiet="true"),
        [("contradiction", 7)],
    ),
    "covered by two": (
        rule("a", when="{ oldfd = { lt = 5 } }")
        + rule("b", when="{ oldfd = { ge = 5 } }")
        + rule("c", when="{ newfd = 3 }"),
        [("shadowed", 12)],
    ),
    "not covered by two with a gap": (
        rule("a", when="{ oldfd = { lt = 5 } }")
        + rule("b", when="{ oldfd = { gt = 5 } }")
        + rule("c", when="{ newfd = 3 }"),
        [],
    ),
    "covered through signs": (
        rule("a", when="{ oldfd = { lt = 0 } }") + rule("b", when="{ oldfd = 0xffffffff }"),
        [("shadowed", 7)],
    ),
    "covered by both values of a bit": (
        rule("a", when='{ flags = { mask = "O_CLOEXEC", eq = 0 } }')
        + rule("b", when='{ flags = { mask = "O_CLOEXEC", ne = 0 } }')
        + rule("c"),
        [("shadowed", 12)],
    ),
    "covered through another mask": (
        rule("a", when="{ flags = { mask = 1, eq = 1 } }")
        + rule("b", when="{ flags = { mask = 3, eq = 3 } }"),
        [("shadowed", 7)],
    ),
    "not covered: the mask is wider": (
        rule("a", when="{ flags = { mask = 3, eq = 3 } }")
        + rule("b", when="{ flags = { mask = 1, eq = 1 } }"),
        [],
    ),
    "covered by an unless": (
        rule("a", unless="{ oldfd = 1 }") + rule("b", when="{ oldfd = 2 }"),
        [("shadowed", 7)],
    ),
    "covered by rule and unless": (
        rule("a", unless="{ oldfd = 1, newfd = 1 }")
        + rule("b", when="{ oldfd = 1 }")
        + rule("c", when="{ newfd = 1 }"),
        [("shadowed", 12)],
    ),
    "64 bits count": (
        rule("a", '"clone"', when="{ flags = 0x4111 }")
        + rule("b", '"clone"', when="{ flags = 0x100004111 }"),
        [],
    ),
    "for one call of two": (
        rule("a", '"dup2"') + rule("b", '["dup2", "dup3"]', when="{ oldfd = 1 }"),
        [("shadowed", 6)],
    ),
    "ne outside the range, among others": (
        rule("a", when="{ flags = 1, oldfd = { lt = 0, ne = 0 } }", unless="{ newfd = 0 }"),
        [("no-effect", 2)],
    ),
    "when that can never hold": (
        rule("a", '"read"', when="{ count = { le = 0, ne = 0 } }"),
        [("never-matches", 2)],
    ),
    "unless that always holds": (
        rule("a", '"read"', unless="{ count = { ge = 0 } }"),
        [("never-matches", 2)],
    ),
    "unless that holds wherever when does": (
        rule("a", when="{ oldfd = 5 }", unless="{ oldfd = { ge = 3 } }"),
        [("never-matches", 2)],
    ),
    "unless that can never hold": (
        rule("a", '"read"', unless="{ count = { le = 0, ne = 0 } }"),
        [("no-effect", 2)],
    ),
    "unless that when excludes": (
        rule("a", when="{ oldfd = 5 }", unless="{ oldfd = 6 }"),
        [("no-effect", 2)],
    ),
    "a test that always holds": (rule("a", '"read"', when="{ count = { ge = 0 } }"), [("no-effect", 2)]),
    "one of two that always holds": (
        rule("a", '"read"', when="{ fd = 1, count = { ge = 0 } }"),
        [("no-effect", 2)],
    ),
    "ne outside the range": (rule("a", when="{ oldfd = { le = 5, ne = 6 } }"), [("no-effect", 2)]),
    "all values of a mask": (
        rule("a", when="{ flags = { mask = 1, in = [0, 1] } }"),
        [("no-effect", 2)],
    ),
    "listed but always ruled": ('[calls]\nallow = [\n"read",\n"dup3"]\n' + rule("a"), [("unreachable", 5)]),
    "listed by group and always ruled": ('[calls]\nallow = ["@basic-io"]\n' + rule("a"), []),
    "listed and sometimes ruled": ('[calls]\nallow = ["dup3"]\n' + ONE, []),
    "refused by list and always ruled": (
        '[calls]\n[calls.refuse]\nEIO = ["dup3"]\n' + rule("a"),
        [("unreachable", 4)],
    ),
    "clone3 by name": ('[calls]\nallow = ["clone3"]\n', [("always-refused", 3)]),
    "clone3 by rule": (rule("a", '"clone3"', verdict='"allow"'), [("always-refused", 2)]),
    "a signal by pidfd, by name": ('[calls]\nallow = ["pidfd_send_signal"]\n', [("always-refused", 3)]),
    "a signal by pidfd, by rule": (
        rule("a", '"pidfd_send_signal"', verdict='"watch"'),
        [("always-refused", 2)],
    ),
    "clone3 refused": (rule("a", '"clone3"', verdict='"ENOSYS"'), []),
    "scratch that may not be written": ("[files]\nread = []\nscratch = true\n", [("no-effect", 4)]),
    "scratch that is not made": ('[files]\nread = []\nwrite = ["${scratch}/x"]\n', [("no-effect", 4)]),
    "scratch as it should be": ('[files]\nwrite = ["${scratch}"]\nscratch = true\n', []),
    "scratch turned off": ('[files]\nwrite = ["${scratch}"]\nscratch = false\n', []),
    "ports without families": (
        "[network]\nconnect = [443]\nbind = [80]\n",
        [("no-effect", 3), ("no-effect", 4)],
    ),
    "ports with families that are none": ("[network]\nfamilies = []\nbind = [80]\n", [("no-effect", 4)]),
    "ports with families": (
        '[network]\nfamilies = ["AF_INET"]\nconnect = [443]\n[[waiver]]\nname = "network"\nreason = "so"\n',
        [],
    ),
    "no ports and no families": ("[network]\nconnect = []\n", []),
    "threads without clone": ("[process]\nmax = 3\nthreads = true\n", [("no-effect", 4)]),
    "threads with clone": ('[calls]\nallow = ["clone"]\n[process]\nthreads = true\n', []),
    "threads and no rule that lets them": (
        '[calls]\nallow = ["clone"]\n'
        + rule("a", '"clone"', when='{ flags = { mask = "CLONE_THREAD", ne = 0 } }')
        + "[process]\nthreads = true\n",
        [("no-effect", 10)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_findings(case: str) -> None:
    text, found = CASES[case]
    assert told(text) == found


@pytest.mark.parametrize("name", shipped())
def test_shipped_policies_are_clean(name: str) -> None:
    assert check(name) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (rule("a") + rule("b"), "rule b never decides a call of dup3: a (line 2) did before it"),
        (
            rule("a") + rule("b", verdict='"EIO"'),
            "rule b contradicts rule a (line 2), which decides the same calls of dup3 another way",
        ),
        (
            rule("a", '["dup", "dup2", "dup3", "close", "read"]')
            + rule("b", '["dup", "dup2", "dup3", "close", "read"]'),
            "rule b never decides a call of dup, dup2, dup3, close and 1 more",
        ),
        (
            rule("a", when="{ oldfd = 5, newfd = { ge = -2147483648 } }"),
            "rule a: the test of newfd makes no difference: it always holds where the others do",
        ),
        (
            '[calls]\nallow = ["dup3"]\n' + rule("a"),
            "[calls] is never asked about dup3: rules decide it always: a (t.toml:4)",
        ),
    ],
)  # fmt: skip
def test_messages_name_rules_and_calls(text: str, part: str) -> None:
    assert part in message(text)


def test_a_rule_before_those_it_extends_shadows_none() -> None:
    text = 'schema = 1\nextends = "default"\n' + rule("mine", '"clone"', verdict='"ENOSYS"')
    assert findings(loads_layers(text, file="t.toml")) == []


def test_an_entry_that_an_extended_policy_always_rules() -> None:
    text = 'schema = 1\nextends = "default"\n[calls]\nallow = ["listen"]\n'
    [one] = findings(loads_layers(text, file="t.toml"))
    assert (one.kind, one.file, one.line) == ("unreachable", "t.toml", 4)
    assert "no-network" in one.message


def test_too_intricate_rules_are_a_finding() -> None:
    text = "schema = 1\n" + "".join(rule(f"r{n}", when=f"{{ oldfd = {n}, newfd = {n} }}") for n in range(30))
    loaded = loads_layers(text, file="t.toml")
    assert findings(loaded) == []
    found = findings(loaded, Budget(steps=500, each=50))
    assert {one.kind for one in found} == {"unchecked"}
    assert any("more), with the rules before it" in one.message for one in found)


def test_a_policy_too_large_for_a_filter_is_the_only_finding() -> None:
    text = "".join(
        rule(f"r{n}", when=f"{{ oldfd = {n}, newfd = {n * 7} }}", verdict='"EIO"', quiet="true")
        for n in range(1200)
    )
    assert told(text + rule("again", when="{ oldfd = 0, newfd = 0 }")) == [("too-large", 1)]


def test_ports_of_an_extending_policy_that_takes_the_families_away(tmp_path: Path) -> None:
    above, below = tmp_path / "above.toml", tmp_path / "below.toml"
    below.write_text('schema = 1\n[network]\nfamilies = ["AF_INET"]\nconnect = [443]\n')
    above.write_text('schema = 1\nextends = "below.toml"\n[network]\nfamilies = []\n')
    found = [(one.kind, one.file, one.line) for one in check(str(above))]
    assert found == [("no-effect", str(below), 4)]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("schema = 1\nname = \n", 2, "not valid TOML"),
        ('schema = 1\n[calls]\nallow = ["raed"]\n', 3, "did you mean read?"),
        ("schema = 1\nnonsense = 1\n", 2, "unknown section or key 'nonsense'"),
        ('schema = 1\n[[waiver]]\nname = "ptrace"\n', 2, "reason is missing"),
        ('schema = 1\n[calls]\nallow = ["\\u001b[2J"]\n', 3, "\\x1b[2J"),
    ],
)
def test_a_policy_that_does_not_load(tmp_path: Path, text: str, line: int, part: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    [one] = check(str(path))
    assert (one.kind, one.file, one.line) == ("invalid", str(path), line)
    assert part in one.message
    assert one.message.isprintable()


@pytest.mark.parametrize("name", ["nosuch", "./nosuch.toml", "/"])
def test_a_policy_that_cannot_be_read_raises(name: str) -> None:
    with pytest.raises(PolicyError):
        check(name)


def test_what_is_said_to_be_refused_always_is_that_and_no_more() -> None:
    policy = Policy("t", "", "", "", Allow("unlisted"), {}, {})
    always = {
        name
        for name, nr in table.NUMBERS.items()
        if any(not one.when and not one.unless for one in rules.refusals(policy, nr))
    }
    assert set(ALWAYS_REFUSED) == always
