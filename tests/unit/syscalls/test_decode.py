"""What an audit record says of a call's arguments, hostile guests included."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.syscalls import decode, table
from sandbox.syscalls.call import Call
from sandbox.syscalls.decode import describe

WORD = st.integers(0, 2**64 - 1)
ADDRESS = 0x7000


def _no_memory(_address: int) -> None:
    return None


def _call(name: str, *args: int) -> Call:
    raw = [arg % 2**64 for arg in args] + [0] * (6 - len(args))
    return Call(table.NUMBERS[name], (raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            _call("clone", 0x4111, 0x7FFD0000, 0, 0, 0),
            {
                "flags": "CLONE_VM|CLONE_VFORK|SIGCHLD",
                "child_stack": "0x7ffd0000",
                "ptid": "0x0",
                "ctid": "0x0",
                "tls": "0x0",
            },
        ),
        (
            _call("openat", -100, ADDRESS, 0o1101, 0o644),
            {"dirfd": "AT_FDCWD", "path": "0x7000", "flags": "O_WRONLY|O_CREAT|O_TRUNC", "mode": "0o644"},
        ),
        (_call("write", 1, ADDRESS, 12), {"fd": 1, "buf": "0x7000", "count": 12}),
        (_call("execve", ADDRESS, 16, 0), {"path": "0x7000", "argv": "0x10", "envp": "0x0"}),
        (_call("kill", -1, 9), {"pid": -1, "sig": "SIGKILL"}),
        (_call("kill", 7, 0), {"pid": 7, "sig": 0}),
        (_call("kill", 7, 70), {"pid": 7, "sig": "signal 70"}),
        (_call("kill", 7, -1), {"pid": 7, "sig": "signal -1"}),
        (_call("lseek", 3, -8, 2), {"fd": 3, "offset": -8, "whence": "SEEK_END"}),
        (
            _call("socket", 2, 0x80001, 0),
            {"domain": "AF_INET", "type": "SOCK_STREAM|SOCK_CLOEXEC", "protocol": 0},
        ),
        (_call("ioctl", 0, 0x5412, ADDRESS), {"fd": 0, "request": "TIOCSTI", "arg": 0x7000}),
        (_call("getpid"), {}),
    ],
)
def test_describe(call: Call, expected: dict[str, str | int]) -> None:
    assert describe(call, _no_memory) == expected


@pytest.mark.parametrize(
    ("call", "name", "expected"),
    [
        (_call("close", 0xFFFF_FFFF), "fd", -1),
        (_call("close", 0xDEAD_BEEF_0000_0003), "fd", 3),
        (_call("close", 0x8000_0000), "fd", -(2**31)),
        (_call("close", 0x7FFF_FFFF), "fd", 2**31 - 1),
        (_call("openat", 0xFFFF_FF9C), "dirfd", "AT_FDCWD"),
        (_call("openat", 0xABCD_0000_FFFF_FF9C), "dirfd", "AT_FDCWD"),
        (_call("openat", 5), "dirfd", 5),
        (_call("ioctl", 0, 0xFFFF_FFFF_0000_5412), "request", "TIOCSTI"),
        (_call("open", 0, 0x1234_5678_0000_0002), "flags", "O_RDWR"),
        (_call("clone", 0x1_0000_4111), "flags", "CLONE_VM|CLONE_VFORK|CLONE_CLEAR_SIGHAND|SIGCHLD"),
        (_call("setuid", -1), "uid", 2**32 - 1),
        (_call("write", 1, 0, -1), "count", 2**64 - 1),
        (_call("chmod", 0, 0xFFFF_FFFF_FFFF_0000 | 0o777), "mode", "0o777"),
        (_call("chmod", 0, 0o4755), "mode", "0o4755"),
    ],
)
def test_width_is_what_the_kernel_reads(call: Call, name: str, expected: str | int) -> None:
    assert describe(call, _no_memory)[name] == expected


def test_unknown_call_shows_six_registers() -> None:
    shown = describe(Call(999, (1, 2, 3, 4, 5, 2**64 - 1)), _no_memory)
    assert shown == {"arg0": 1, "arg1": 2, "arg2": 3, "arg3": 4, "arg4": 5, "arg5": 2**64 - 1}


def test_strings_are_read_once_and_never_at_null() -> None:
    asked: list[int] = []

    def read(address: int) -> str:
        asked.append(address)
        return "/etc/passwd"

    assert describe(_call("rename", ADDRESS, 0), read) == {"oldpath": "/etc/passwd", "newpath": "0x0"}
    assert asked == [ADDRESS]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ""),
        (b"/tmp/a b", "/tmp/a b"),
        ("/tmp/ä".encode(), "/tmp/ä"),
        (b"/tmp/\xff\xfe", "/tmp/\\xff\\xfe"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b'a\n"b\x1b[31m', 'a\n"b\x1b[31m'),
    ],
)
def test_guest_bytes_become_text(raw: bytes, expected: str) -> None:
    assert decode.text(raw) == expected


def test_a_lone_surrogate_from_the_reader_is_made_harmless() -> None:
    assert describe(_call("chdir", ADDRESS), lambda _address: "/\udcff") == {"path": "/\\udcff"}


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 600), st.tuples(WORD, WORD, WORD, WORD, WORD, WORD), st.binary(max_size=64))
def test_any_call_fits_one_line_of_json(
    nr: int, args: tuple[int, int, int, int, int, int], raw: bytes
) -> None:
    shown = describe(Call(nr, args), lambda _address: decode.text(raw))
    line = json.dumps(shown, ensure_ascii=True)
    assert line.isprintable()
    assert json.loads(line) == shown
    assert list(shown) == [arg.name for arg in table.arguments(nr)]


@settings(deadline=None, derandomize=True)
@given(st.text(st.characters(codec=None), max_size=64))
def test_any_text_of_the_reader_can_be_encoded(found: str) -> None:
    shown = describe(_call("chdir", ADDRESS), lambda _address: found)["path"]
    assert isinstance(shown, str)
    assert shown.encode("utf-8").decode("utf-8") == shown
