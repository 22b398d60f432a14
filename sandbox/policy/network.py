"""`[network]`: the socket families a guest may use and the TCP ports it may reach or serve.

The families become rules, asked before all others; the ports are Landlock's (ABI 4). Where ports are given,
only TCP streams are allowed: Landlock knows no ports of other protocols.
"""

from __future__ import annotations

from typing import Any

from sandbox.outcome import Allow, Decision, Refuse
from sandbox.policy.model import Condition, Network, Rule
from sandbox.policy.source import Table
from sandbox.syscalls import flags, table

Fields = dict[str, Any]

FAMILIES = 'a list of socket families such as "AF_INET" (empty: no network)'
PORTS = "a list of TCP ports, 1 to 65535"
_EACCES, _EPERM = 13, 1
_TYPE_MASK, _SOCK_STREAM, _MSG_FASTOPEN = 0xF, 1, 0x20000000
_IPPROTO_TCP = 6
_SERVE = ("bind", "listen", "accept", "accept4")


def parse_network(network: Table) -> Fields:
    """The fields of `Network` this section sets."""
    network.only("key in [network]:", Network._fields)
    fields: Fields = {}
    if "families" in network.data:
        fields["families"] = tuple(
            _family(network, path, word) for path, word in network.words("families", FAMILIES)
        )
    for key in ("connect", "bind"):
        if key in network.data:
            fields[key] = tuple(_ports(network, key))
    return fields


def _family(network: Table, path: Any, word: str) -> str:
    if not word.startswith("AF_"):
        raise network.source.error(path, f"no socket family: {word[:40]!r}", FAMILIES)
    try:
        flags.parse("socket_family", word)
    except ValueError as error:
        raise network.source.error(path, str(error), FAMILIES) from None
    return word


def _ports(network: Table, key: str) -> list[int]:
    ports = network.data[key]
    good = isinstance(ports, list) and all(type(port) is int and 0 < port < 65536 for port in ports)
    if not good:
        raise network.error(key, f"{key} can't be {str(ports)[:40]!r}", PORTS)
    return list(ports)


def rules(network: Network | None, file: str) -> list[Rule]:
    """The rules a `[network]` with families stands for; none where there are none."""
    if network is None or not network.families:
        return []
    made = [_rule(file, "network.families", "socket", _when(network), Allow("network.families"))]
    calls = ("connect", "getsockname", "getpeername", *(_SERVE if network.bind else ()))
    made += [_rule(file, "network.calls", call, (), Allow("network.calls")) for call in calls]
    if network.connect or network.bind:
        # It opens a connection without connect(2), which Landlock does not see (tcp(7), TCP_FASTOPEN).
        fast = Refuse(_EPERM, "network.fastopen")
        made += [
            _rule(file, "network.fastopen", call, (_condition(index, (_MSG_FASTOPEN,), _MSG_FASTOPEN),), fast)
            for call, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3))
        ]
    return made


def _when(network: Network) -> tuple[Condition, ...]:
    families = tuple(sorted(flags.parse("socket_family", one) for one in network.families))
    conditions = [_condition(0, families)]
    if network.connect or network.bind:
        conditions += [_condition(1, (_SOCK_STREAM,), _TYPE_MASK), _condition(2, (0, _IPPROTO_TCP))]
    return tuple(conditions)


def _condition(index: int, values: tuple[int, ...], mask: int = 0xFFFF_FFFF) -> Condition:
    return Condition(index, "in", values, mask, 32)


def _rule(file: str, name: str, call: str, when: tuple[Condition, ...], action: Decision) -> Rule:
    return Rule(name, table.NUMBERS[call], call, when, (), action, file)
