"""Flags there and back, and what a policy author is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.syscalls import flags

SETS = sorted(flags.FLAG_SETS)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("clone", 0x4111, "CLONE_VM|CLONE_VFORK|SIGCHLD"),
        ("clone", 0x4100, "CLONE_VM|CLONE_VFORK"),
        ("clone", 0, "0"),
        ("clone", 0x1200011, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"),
        ("clone", 0x1_0000_4111, "CLONE_VM|CLONE_VFORK|CLONE_CLEAR_SIGHAND|SIGCHLD"),
        ("clone", 0x8000_0000_0000_0141, "CLONE_VM|0x8000000000000041"),
        ("clone", 0xFFFF_FFFF_FFFF_FFFF, "0xffffffffffffffff"),
        ("unshare", 0x80, "CLONE_NEWTIME"),
        ("open", 0, "O_RDONLY"),
        ("open", 0o1101, "O_WRONLY|O_CREAT|O_TRUNC"),
        ("open", 0x101000, "O_RDONLY|O_SYNC"),
        ("open", 0x1000, "O_RDONLY|O_DSYNC"),
        ("open", 0x410002, "O_RDWR|O_TMPFILE"),
        ("open", 3, "0x3"),
        ("open", 0x8000_0043, "O_CREAT|0x80000003"),
        ("mmap_prot", 0, "PROT_NONE"),
        ("mmap_prot", 5, "PROT_READ|PROT_EXEC"),
        ("mmap_flags", 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("futex_op", 0x81, "FUTEX_WAKE|FUTEX_PRIVATE_FLAG"),
        ("socket_type", 0x80801, "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC"),
        ("ioctl", 0x5412, "TIOCSTI"),
        ("ioctl", 0x12345678, "0x12345678"),
        ("rusage", 0xFFFF_FFFF, "RUSAGE_CHILDREN"),
        ("personality", 0xFFFF_FFFF, "0xffffffff"),
        ("signal", 17, "SIGCHLD"),
        ("access_mode", 0, "F_OK"),
        ("access_mode", 0xFFFF_FFFF, "0xffffffff"),
        ("wait", 0, "0"),
    ],
)
def test_format(name: str, value: int, text: str) -> None:
    assert flags.format(name, value) == text
    assert flags.parse(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("clone", " CLONE_VM | 0x4000|SIGCHLD ", 0x4111),
        ("clone", "0x1_0000_4111", 0x1_0000_4111),
        ("clone", "SIGCLD|SIGCHLD", 17),
        ("clone", "SIGRTMIN+2", 34),
        ("open", "0o1101", 0o1101),
        ("futex_op", "FUTEX_WAKE_PRIVATE", 0x81),
        ("mmap_flags", "MAP_ANON|MAP_FILE|MAP_PRIVATE", 0x22),
        ("wait", "0", 0),
        ("open", "O_ACCMODE|O_CREAT", 0x43),
        ("mode", "S_IFCHR|S_IRUSR", 0o20400),
        ("socket_family", "PF_UNIX", 1),
        ("clone", "0xffffffffffffffff", 2**64 - 1),
    ],
)
def test_parse(name: str, text: str, value: int) -> None:
    assert flags.parse(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("clone", "CLONE_VMM", "unknown flag 'CLONE_VMM' for clone; did you mean CLONE_VM?"),
        ("clone", "clone_vfork", "unknown flag 'clone_vfork' for clone; did you mean CLONE_VFORK?"),
        ("open", "CLONE_VM", "unknown flag 'CLONE_VM' for open"),
        ("open", "", "unknown flag '' for open"),
        ("open", "O_RDWR|", "unknown flag '' for open"),
        ("open", "-1", "unknown flag '-1' for open"),
        ("open", "0x1_0000_0000_0000_0000", "'0x1_0000_0000_0000_0000' is not a number from 0 to 2^64-1"),
        ("open", "0x", "'0x' is not a number from 0 to 2^64-1"),
        ("open", "017", "'017' is not a number from 0 to 2^64-1; did you mean 0o17?"),
        ("open", "09", "'09' is not a number from 0 to 2^64-1"),
        ("clone", "CLONE_VM|SIGCHLD|SIGHUP", "SIGCHLD and SIGHUP exclude each other"),
        ("mode", "S_IFREG|S_IFDIR", "S_IFREG and S_IFDIR exclude each other"),
        ("open", "O_RDONLY|O_RDWR", "O_RDONLY and O_RDWR exclude each other"),
        ("futex_op", "FUTEX_WAIT_BITSET|FUTEX_WAKE_PRIVATE", "exclude each other"),
        ("fcntl_cmd", "F_GETFD|F_SETFD", "F_GETFD and F_SETFD exclude each other"),
    ],
)
def test_parse_refuses(name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        flags.parse(name, text)


@pytest.mark.parametrize("text", ["9" * 100_000, "O_" * 100_000, "\x1b[31m\n|\ud800", "\u0661", "O_RDWR\0"])
def test_hostile_text_gives_one_short_printable_line(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        flags.parse("open", text)
    line = str(caught.value)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 200


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(SETS), st.integers(0, 2**64 - 1))
def test_any_value_comes_back(name: str, value: int) -> None:
    assert flags.parse(name, flags.format(name, value)) == value


@settings(deadline=None, derandomize=True)
@given(st.data())
def test_any_union_of_flags_comes_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(SETS))
    known = flags.FLAG_SETS[name]
    chosen = data.draw(st.lists(st.sampled_from(sorted(known.bits)))) if known.bits else []
    field = data.draw(st.sampled_from(sorted(known.field))) if known.field else "0"
    value = flags.parse(name, "|".join([*chosen, field]))
    text = flags.format(name, value)
    assert flags.parse(name, text) == value
    assert value in (0xFFFF_FFFF, 2**64 - 1) or "0x" not in text


@pytest.mark.parametrize("name", SETS)
def test_set_is_sound(name: str) -> None:
    known = flags.FLAG_SETS[name]
    assert known.name == name
    assert all(value and not value & known.field_mask for value in known.bits.values())
    assert all(not value & ~known.field_mask for value in known.field.values())
    assert all(0 <= flags.parse(name, word) < 2**64 for word in flags.names(name))


@pytest.mark.parametrize("name", SETS)
def test_every_value_of_a_field_has_one_name(name: str) -> None:
    field = flags.FLAG_SETS[name].field
    shared = {value for value in field.values() if list(field.values()).count(value) > 1}
    assert shared == set()


@pytest.mark.parametrize("name", SETS)
def test_names_are_words_and_no_numbers(name: str) -> None:
    odd = [word for word in flags.names(name) if not re.fullmatch(r"[A-Z_][A-Za-z0-9_]*(\+\d+)?", word)]
    assert odd == []


def test_an_unknown_set_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        flags.parse("nosuch", "O_RDWR")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "SIGHUP"),
        (9, "SIGKILL"),
        (17, "SIGCHLD"),
        (29, "SIGIO"),
        (31, "SIGSYS"),
        (32, "SIGRTMIN"),
        (34, "SIGRTMIN+2"),
        (64, "SIGRTMIN+32"),
    ],
)
def test_signal_there_and_back(number: int, name: str) -> None:
    assert flags.signal_name(number) == name
    assert flags.signal_number(name) == number


@pytest.mark.parametrize("number", [0, -1, 65, 70, 2**31])
def test_no_signal(number: int) -> None:
    assert flags.signal_name(number) == f"signal {number}"
    assert flags.signal_number(f"signal {number}") is None


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIGCLD", 17), ("SIGIOT", 6), ("SIGPOLL", 29), ("SIGRTMAX", 64), ("CHLD", None), ("SIGRTMIN+33", None)],
)
def test_signal_number(name: str, number: int | None) -> None:
    assert flags.signal_number(name) == number
