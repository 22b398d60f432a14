"""Errno names against this Python's, and the kernel-internal ones kept apart."""

from __future__ import annotations

import errno

import pytest

from sandbox.syscalls import errnos


def test_names_are_pythons() -> None:
    theirs = {name: getattr(errno, name) for name in errno.errorcode.values() if getattr(errno, name) < 512}
    assert len(theirs) >= 100
    assert {name: errnos.errno_number(name) for name in theirs} == theirs


@pytest.mark.parametrize("number", range(1, 134))
def test_name_and_number_are_inverse(number: int) -> None:
    name = errnos.errno_name(number)
    if number in (41, 58):
        assert name == f"errno {number}"
    else:
        assert errnos.errno_number(name) == number


@pytest.mark.parametrize(("name", "number"), [("EWOULDBLOCK", 11), ("EDEADLOCK", 35), ("ENOTSUP", 95)])
def test_alias_is_understood_and_not_printed(name: str, number: int) -> None:
    assert errnos.errno_number(name) == number
    assert errnos.errno_name(number) != name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (512, "ERESTARTSYS"),
        (513, "ERESTARTNOINTR"),
        (514, "ERESTARTNOHAND"),
        (515, "ENOIOCTLCMD"),
        (516, "ERESTART_RESTARTBLOCK"),
    ],
)
def test_restart_codes_have_names_nobody_can_ask_for(number: int, name: str) -> None:
    assert errnos.errno_name(number) == name
    assert errnos.errno_number(name) is None


@pytest.mark.parametrize("number", [-1, 0, 134, 511, 517, 4095])
def test_no_errno(number: int) -> None:
    assert errnos.errno_name(number) == f"errno {number}"


@pytest.mark.parametrize("name", ["", "-", "enosys", "ENOSYS ", "38", "errno 38", "EXYZZY"])
def test_unknown_name(name: str) -> None:
    assert errnos.errno_number(name) is None
