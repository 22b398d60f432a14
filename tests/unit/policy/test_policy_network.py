"""`[network]`: families become rules, asked first; ports are Landlock's."""

from __future__ import annotations

import pytest

from sandbox.errors import PolicyError
from sandbox.outcome import Allow, Refuse
from sandbox.policy.load import loads
from sandbox.policy.model import Network, Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
AF_PACKET, AF_VSOCK = 17, 40
STREAM, DGRAM, RAW, CLOEXEC = 1, 2, 3, 0o2000000
MPTCP = 262
FASTOPEN = 0x20000000


def policy(section: str) -> Policy:
    return loads(f'schema = 1\nextends = "default"\n[network]\n{section}\n', file="p.toml")


def allowed(of: Policy, name: str, *args: int) -> bool:
    six = (*args, 0, 0, 0, 0, 0, 0)[:6]
    return isinstance(of.decide(Call(table.NUMBERS[name], six)), Allow)  # type: ignore[arg-type]


def test_without_families_there_is_no_network() -> None:
    for section in ("", "families = []"):
        found = policy(section)
        assert found.network == Network()
        assert not allowed(found, "socket", AF_INET, STREAM, 0)
        assert not allowed(found, "connect", 3)


@pytest.mark.parametrize(
    ("args", "verdict"),
    [
        ((AF_INET, STREAM, 0), True),
        ((AF_INET, STREAM | CLOEXEC, 6), True),
        ((AF_INET | 7 << 32, STREAM, 0), True),
        ((AF_INET, DGRAM, 0), False),
        ((AF_INET, RAW, 6), False),
        ((AF_INET, STREAM, 132), False),
        ((AF_INET6, STREAM, 0), False),
        ((AF_UNIX, STREAM, 0), False),
    ],
)
def test_with_ports_only_tcp(args: tuple[int, ...], verdict: bool) -> None:
    assert allowed(policy('families = ["AF_INET"]\nconnect = [443]'), "socket", *args) is verdict


def test_without_ports_any_kind_of_socket() -> None:
    found = policy('families = ["AF_INET", "AF_INET6"]')
    assert allowed(found, "socket", AF_INET, DGRAM, 17)
    assert allowed(found, "socket", AF_INET6, STREAM, 0)
    assert allowed(found, "connect", 3)
    assert not allowed(found, "bind", 3)


def test_ports_to_serve() -> None:
    found = policy('families = ["AF_INET"]\nbind = [8080]')
    for name in ("bind", "listen", "accept", "accept4"):
        assert allowed(found, name, 3)


LISTED = """
schema = 1
name = "listed"
[calls]
allow = ["@network-io"]
[network]
families = ["AF_INET"]
"""


@pytest.mark.parametrize(
    ("ports", "call", "args", "verdict"),
    [
        ("", "socket", (AF_INET, DGRAM, 17), Allow("network.families")),
        ("", "socket", (AF_INET, STREAM, MPTCP), Refuse(93, "network.mptcp")),
        ("", "socket", (AF_INET6, STREAM, 0), Refuse(13, "network.others")),
        ("", "socket", (AF_PACKET, RAW, 0), Refuse(13, "network.others")),
        ("", "socket", (AF_UNIX, STREAM, 0), Refuse(13, "network.others")),
        ("connect = [443]", "socket", (AF_INET, STREAM, 0), Allow("network.families")),
        ("connect = [443]", "socket", (AF_INET, STREAM, MPTCP), Refuse(93, "network.mptcp")),
        ("connect = [443]", "socket", (AF_INET, DGRAM, 0), Refuse(13, "network.others")),
        ("connect = [443]", "bind", (3,), Refuse(13, "network.others")),
        ("connect = [443]", "listen", (3,), Refuse(13, "network.others")),
        ("connect = [443]", "accept4", (3,), Refuse(13, "network.others")),
        ("bind = [80]", "listen", (3,), Allow("network.calls")),
    ],
)
def test_families_decide_whatever_the_lists_allow(
    ports: str, call: str, args: tuple[int, ...], verdict: Allow | Refuse
) -> None:
    six = (*args, 0, 0, 0, 0, 0, 0)[:6]
    found = loads(LISTED + ports, file="p.toml")
    assert found.decide(Call(table.NUMBERS[call], six)) == verdict  # type: ignore[arg-type]


def test_with_ports_only_families_whose_ports_are_judged() -> None:
    found = policy('families = ["AF_INET", "AF_UNIX", "AF_VSOCK"]\nconnect = [443]')
    assert allowed(found, "socket", AF_UNIX, STREAM, 0)
    assert not allowed(found, "socket", AF_VSOCK, STREAM, 0)
    assert allowed(policy('families = ["AF_VSOCK"]'), "socket", AF_VSOCK, STREAM, 0)


@pytest.mark.parametrize(("name", "index"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_no_connection_without_connect(name: str, index: int) -> None:
    found = policy('families = ["AF_INET"]\nconnect = [443]')
    args = [0] * 6
    args[index] = FASTOPEN
    decision = found.decide(Call(table.NUMBERS[name], tuple(args)))  # type: ignore[arg-type]
    assert decision == Refuse(1, "network.fastopen")
    assert allowed(found, name)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('families = ["INET"]', "no socket family"),
        ('families = ["AF_NOTHING"]', "AF_NOTHING"),
        ("families = [2]", "no text"),
        ("connect = [0]", "connect can't be"),
        ("connect = [65536]", "connect can't be"),
        ('connect = ["443"]', "connect can't be"),
        ("bind = true", "bind can't be"),
        ("ports = [1]", "unknown key in [network]"),
    ],
)
def test_wrong(section: str, says: str) -> None:
    with pytest.raises(PolicyError, match=r"p\.toml:4: ") as caught:
        policy(section)
    assert says in str(caught.value)
    assert caught.value.allowed
