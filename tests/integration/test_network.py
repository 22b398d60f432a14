"""TCP ports by Landlock, and nothing else of the network, on the loopback interface."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from sandbox._kernel.calls import landlock_abi

POLICY = """
schema = 1
name = "net"
extends = "default"
[network]
families = ["AF_INET"]
connect = [{port}]
"""
LISTED = """
schema = 1
name = "listed"
extends = "default"
[[rule]]
id = "sockets"
call = ["socket", "connect"]
verdict = "allow"
[network]
families = ["AF_INET"]
connect = [{port}]
"""
MULTIPATH = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262);"
    "s.connect(('127.0.0.1', int(sys.argv[1]))); print('connected')"
)
CONNECT = (
    "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('connected')"
)

needs_ports = pytest.mark.skipif(landlock_abi() < 4, reason="Landlock has no TCP ports before Linux 6.7")


@needs_ports
def test_only_the_named_port(run: Any, python: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as named, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (named, other)]
        policy = tmp_path / "net.toml"
        policy.write_text(POLICY.format(port=ports[0]))
        allowed, refused = (
            run(python, "-I", "-S", "-c", CONNECT, str(port), policy=str(policy)) for port in ports
        )
    assert (allowed.status, allowed.out) == (0, "connected\n")
    assert refused.status != 0
    assert "Permission denied" in refused.err


def test_no_network_by_default(run: Any, python: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ran = run(python, "-I", "-S", "-c", CONNECT, str(server.getsockname()[1]), policy="default")
    assert ran.status != 0
    assert ran.calls("socket")[-1]["verdict"] == "refuse"


@needs_ports
def test_no_other_way_to_a_port(run: Any, python: str, tmp_path: Path) -> None:
    """Landlock does not see a port of Multipath TCP; whatever the policy allows, no such socket is made."""
    policy = tmp_path / "listed.toml"
    policy.write_text(LISTED.format(port=1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        ran = run(python, "-I", "-S", "-c", MULTIPATH, port, policy=str(policy))
    assert ran.status != 0
    [call] = ran.calls("socket")
    assert (call["verdict"], call["errno"], call["rule"]) == ("refuse", "EPROTONOSUPPORT", "network.mptcp")
