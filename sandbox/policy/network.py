"""`[network]`: the socket families a guest may use and the TCP ports it may reach or serve.

The families become rules, asked before all others, which decide about every socket; the ports are Landlock's
(ABI 4). Where ports are given, only TCP streams are allowed: Landlock knows no ports of other protocols.
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
_EACCES, _EPERM, _EPROTONOSUPPORT = 13, 1, 93
_TYPE_MASK, _SOCK_STREAM, _MSG_FASTOPEN = 0xF, 1, 0x20000000
_IPPROTO_TCP, _IPPROTO_MPTCP = 6, 262
_LANDLOCKED = {flags.parse("socket_family", one) for one in ("AF_UNIX", "AF_INET", "AF_INET6")}
_SERVE = ("bind", "listen", "accept", "accept4")
_NO_MPTCP = Refuse(_EPROTONOSUPPORT, "network.mptcp")
_OTHERS = Refuse(_EACCES, "network.others")
_HINT = "the program wants a socket that [network] does not open"


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
    made = [
        # It falls back to TCP, and Landlock does not see its ports (Documentation/networking/mptcp.rst).
        _rule(file, "network.mptcp", "socket", (_condition(2, (_IPPROTO_MPTCP,)),), _NO_MPTCP),
        _rule(file, "network.families", "socket", _when(network), Allow("network.families")),
        _rule(file, "network.others", "socket", (), _OTHERS),
    ]
    calls = ("connect", "getsockname", "getpeername", *(_SERVE if network.bind else ()))
    made += [_rule(file, "network.calls", call, (), Allow("network.calls")) for call in calls]
    if not network.bind:
        made += [_rule(file, "network.others", call, (), _OTHERS) for call in _SERVE]
    if network.connect or network.bind:
        # It opens a connection without connect(2), which Landlock does not see (tcp(7), TCP_FASTOPEN).
        fast = Refuse(_EPERM, "network.fastopen")
        made += [
            _rule(file, "network.fastopen", call, (_condition(index, (_MSG_FASTOPEN,), _MSG_FASTOPEN),), fast)
            for call, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3))
        ]
    return made


def _when(network: Network) -> tuple[Condition, ...]:
    families = {flags.parse("socket_family", one) for one in network.families}
    if not (network.connect or network.bind):
        return (_condition(0, tuple(sorted(families))),)
    # Streams of other families, such as AF_VSOCK and AF_SMC, have ports that Landlock does not judge.
    conditions = [_condition(0, tuple(sorted(families & _LANDLOCKED)))]
    conditions += [_condition(1, (_SOCK_STREAM,), _TYPE_MASK), _condition(2, (0, _IPPROTO_TCP))]
    return tuple(conditions)


def _condition(index: int, values: tuple[int, ...], mask: int = 0xFFFF_FFFF) -> Condition:
    return Condition(index, "in", values, mask, 32)


def _rule(file: str, name: str, call: str, when: tuple[Condition, ...], action: Decision) -> Rule:
    hint = _HINT if action is _OTHERS else ""
    return Rule(name, table.NUMBERS[call], call, when, (), action, file, hint=hint)
