"""Tables: what a row stands for, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.conformance import tables
from sandbox.conformance.probe import Block, Place, Probe, Step, result, stack
from sandbox.conformance.rows import Differs, Row
from sandbox.conformance.values import Ending, Expected
from sandbox.errors import PolicyError

HEAD = 'schema = 1\npolicy = "ostoo"\ntitle = "T"\n'


def rows(text: str) -> tuple[Row, ...]:
    return tables.parse(f"{HEAD}[[row]]\n{text}", "t.toml").rows


def only(text: str) -> Row:
    [row] = rows(text)
    return row


def test_a_plain_row() -> None:
    row = only(
        'id = "a"\nsays = "S"\ncall = "clone"\nexpect = "ENOSYS"\n'
        'args = { flags = "SIGCHLD", child_stack = "stack-7" }'
    )
    assert row.probe == Probe(56, (17, stack(-7), 0, 0, 0, 0), name="a")
    assert (row.id, row.family, row.says, row.title, row.policy) == ("a", "a", "S", "T", "ostoo")
    assert row.expect == Expected(value=-38)
    assert (row.writes, row.writes_anything) == (None, False)
    assert (row.file, row.line) == ("t.toml", 4)


def test_a_full_row() -> None:
    row = only(
        """id = "a"
call = "clone"
args = [0x4111, "stack"]
before = [{ call = "getpid", times = 2, expect = "positive" }]
children = [[{ nr = 57, args = [3], spin = 7 }], [{ call = "getpid" }]]
isolate = true
reap = false
memory = [{ at = 4, bytes = "00*2 ff" }]
expect = "child"
child = "exit 3"
registers = ["rdi"]
writes = { at = 8, bytes = "01" }
record = { verdict = "allow" }
events = [{ event = "child" }]
signals = ["SIGUSR1"]
level = "all"
kernel = { expect = 1, because = "B" }
native = "same"
because = "R" """
    )
    getpid = Step(39, (0,) * 6)
    assert row.probe.before == (getpid, getpid)
    assert row.probe.children == ((Step(57, (3, 0, 0, 0, 0, 0), spin=7),), (getpid,))
    assert (row.probe.isolate, row.probe.reap) == (True, False)
    assert row.probe.memory == ((4, b"\0\0\xff"),)
    assert row.probe.look == (8, 1)
    assert row.expect == row.native == Expected(child=True)
    assert row.steps == ((Expected(low=1),) * 2, (None,), (None,))
    assert row.child == Ending(exit=3)
    assert row.registers == {"rdi"}
    assert row.writes == (8, b"\1")
    assert (row.record, row.events, row.signals) == (
        {"verdict": "allow"},
        ({"event": "child"},),
        ("SIGUSR1",),
    )
    assert row.level == "all"
    assert row.kernel == Differs(Expected(value=1), "B")
    assert row.because == "R"


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("nr = { from = 3, to = 6, except = [4] }", ["a-3", "a-5", "a-6"]),
        ('call = { each = ["read", "write"] }', ["a-read", "a-write"]),
        (
            "nr = 1\nargs = [{ each = [0, -1] }, { each = [1, 2] }]",
            ["a-0-1", "a-0-2", "a-minus-1-1", "a-minus-1-2"],
        ),
        ('nr = 1\nargs = [{ each = ["text:./x y", { texts = ["b", "c"], fill = 3 }, ""] }]', None),
    ],
)
def test_rows_that_stand_for_many(given: str, ids: list[str] | None) -> None:
    if ids is None:
        with pytest.raises(PolicyError):
            rows(f'id = "a"\n{given}\nexpect = 0')
        return
    found = rows(f'id = "a"\n{given}\nexpect = 0')
    assert [row.id for row in found] == ids
    assert {row.family for row in found} == {"a"}


def test_flipped_bits() -> None:
    found = rows('id = "a"\ncall = "clone"\nargs = { flags = { flip = 0x4111 } }\nexpect = "ENOSYS"')
    flags = [row.probe.args[0] for row in found]
    assert len(set(flags)) == 64
    assert all(isinstance(one, int) and (one ^ 0x4111).bit_count() == 1 for one in flags)
    assert (found[0].id, found[63].id) == ("a-bit-0", "a-bit-63")


def test_a_vector_of_texts() -> None:
    row = only(
        'id = "a"\ncall = "execve"\nexpect = 0\n'
        'args = ["text:p", { texts = ["b"], fill = 2 }, { words = ["handler", 1] }]'
    )
    assert row.probe.args[:3] == (b"p\0", Block((b"b\0", b"x\0", 0)), Block((Place("handler"), 1)))


def test_what_is_added_to_a_result() -> None:
    row = only(
        'id = "a"\ncall = "brk"\nbefore = [{ call = "brk" }]\nwrites = { at = 64, size = 32 }\n'
        'args = ["result:0+4096", "result:0-1", "fs:8"]\nexpect = { result = 0, plus = 4096 }'
    )
    assert row.probe.args[:3] == (result(0, plus=4096), result(0, plus=-1), Place("fs", 8))
    assert row.expect == Expected(result=0, plus=4096)
    assert (row.writes, row.writes_some) == (None, (64, 32))


WRONG = [
    ('id = "a"\nnr = 1\nargs = ["result:0+x"]\nexpect = 0', 7, "+x is no offset"),
    ('id = "a"\nnr = 1\nargs = ["result:0+0x100000001"]\nexpect = 0', 7, "no distance from a result"),
    ('id = "a"\nnr = 1\nargs = ["fs:65536"]\nexpect = 0', 7, "no argument"),
    ('id = "a"\nnr = 1\nargs = [{ words = ["fs:0"] }]\nexpect = 0', 7, "words do not hold"),
    ('id = "a"\nnr = 1\nexpect = { result = 0, plus = "x" }', 7, "expect can't be"),
    ('id = "a"\nnr = 1\nexpect = 0\nwrites = { at = 0, size = 31 }', 8, "size can't be"),
    ('id = "a"\nnr = 1\nexpect = 0\nwrites = { at = 0, size = 32, bytes = "00" }', 8, "unknown key"),
    ('id = "a"\nnr = 1', 4, "expect is missing"),
    ("nr = 1\nexpect = 0", 4, "id is missing"),
    ('id = "a b"\nnr = 1\nexpect = 0', 5, "id can't be"),
    ('id = "a"\nexpect = 0', 4, "which call is it?"),
    ('id = "a"\nnr = 1\nrax = 1\nexpect = 0', 4, "which call is it?"),
    ('id = "a"\ncall = "klone"\nexpect = 0', 6, "no system call"),
    ('id = "a"\nnr = 1\nexpect = 0\nexpcet = 1', 8, "unknown key of a row"),
    ('id = "a"\nnr = 1\nexpect = "EWHAT"', 7, "expect can't be"),
    ('id = "a"\nnr = 1\nexpect = { killed = "SIGWHAT" }', 7, "expect can't be"),
    ('id = "a"\nnr = 1\nexpect = { any = [] }', 7, "expect can't be"),
    ('id = "a"\nnr = 1\nargs = [0, "x"]\nexpect = 0', 7, "no argument"),
    ('id = "a"\nnr = 1\nargs = ["arena+x"]\nexpect = 0', 7, "+x is no offset"),
    ('id = "a"\nnr = 1\nargs = ["0x10000000000000000"]\nexpect = 0', 7, "more than 64 bits"),
    ('id = "a"\nnr = 1\nargs = [0, 0, 0, 0, 0, 0, 0]\nexpect = 0', 7, "args is no arguments"),
    ('id = "a"\ncall = "clone"\nargs = { flgas = 1 }\nexpect = 0', 7, "clone has no argument flgas"),
    ('id = "a"\ncall = "clone"\nargs = { flags = "CLONE_WM" }\nexpect = 0', 7, "unknown flag"),
    ('id = "a"\nnr = 1\nargs = [{ texts = ["b"], fill = "2" }]\nexpect = 0', 7, "fill is a number"),
    (
        'id = "a"\nnr = 1\nargs = [{ texts = ["b"], fill = 99999999999 }]\nexpect = 0',
        7,
        "fill is a number from 1",
    ),
    (
        'id = "a"\nnr = 1\nargs = [{ bytes = "00*65536 00*65536" }]\nexpect = 0',
        7,
        "more than 65536 bytes",
    ),
    (
        'id = "a"\nnr = { from = 0, to = 4096 }\n'
        "args = [{ from = 0, to = 4096 }, { from = 0, to = 4096 }, { from = 0, to = 4096 }]\nexpect = 0",
        4,
        "too many rows",
    ),
    ('id = "a"\nnr = { from = 9, to = 1 }\nexpect = 0', 6, "span 0 to 4096"),
    ('id = "a"\nnr = { from = 0, to = 100000 }\nexpect = 0', 6, "span 0 to 4096"),
    ('id = "a"\nnr = { from = 0, to = 1, except = 1 }\nexpect = 0', 6, "except is a list"),
    ('id = "a"\nnr = 1\nbefore = [{ nr = { each = [1] } }]\nexpect = 0', 7, "a step is one call"),
    ('id = "a"\nnr = 1\nbefore = [{ nr = 1, times = 80 }]\nexpect = 0', 7, "times can't be"),
    ('id = "a"\nnr = 1\nbefore = [{ nr = 1, times = 79 }, { nr = 1 }]\nexpect = 0', 7, "too many steps"),
    ('id = "a"\nnr = 1\nchildren = [{ nr = 1 }]\nexpect = 0', 7, "children can't be"),
    (
        'id = "a"\nnr = 1\nchildren = [[], [], [], [], [], [], [], [], [], []]\nexpect = 0',
        7,
        "too many levels",
    ),
    ('id = "a"\nnr = 1\nexpect = 0\nwrites = { at = 70000, bytes = "" }', 8, "at can't be"),
    ('id = "a"\nnr = 1\nexpect = 0\nwrites = { at = 0, bytes = "0" }', 8, "bytes can't be"),
    ('id = "a"\nnr = 1\nexpect = 0\nrecord = { vredict = "allow" }', 8, "unknown field of a call record"),
    ('id = "a"\nnr = 1\nexpect = 0\nregisters = ["eax"]', 8, "eax is no register"),
    ('id = "a"\nnr = 1\nexpect = 0\nsignals = ["SIGWHAT"]', 8, "SIGWHAT is no signal"),
    ('id = "a"\nnr = 1\nexpect = 0\nchild = "exit 256"', 8, "child can't be"),
    ('id = "a"\nnr = 1\nexpect = 0\nnative = { expect = 1 }', 8, "because is missing"),
    ('id = "a"\nnr = 1\nexpect = 0\nevents = [{ pid = 1 }]', 8, "event is missing"),
]


@pytest.mark.parametrize(("text", "line", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_wrong_rows(text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError) as error:
        rows(text)
    assert words in str(error.value)
    assert error.value.file == "t.toml"
    assert error.value.line == line


def test_one_id_for_two_rows(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    for path in (one, other):
        path.write_text(f'{HEAD}[[row]]\nid = "a"\nnr = 1\nexpect = 0\n')
    with pytest.raises(PolicyError, match=r"row a stands in .*one.toml:4 too"):
        tables.load([str(one), str(other)])


@pytest.mark.parametrize("content", [b"", b"schema = 2", HEAD.encode(), b"row = 1", b"\xff", b"[" * 10000])
def test_what_is_no_table(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(content)
    with pytest.raises(PolicyError):
        tables.read(str(path))


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(PolicyError, match="No such file"):
        tables.read("/nowhere/t.toml")


def test_a_policy_beside_its_table(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('schema = 1\npolicy = "p.toml"\ntitle = "T"\n[[row]]\nid = "a"\nnr = 1\nexpect = 0\n')
    assert tables.read(str(path)).rows[0].policy == str(tmp_path / "p.toml")


def test_shipped_tables() -> None:
    assert len(tables.shipped("ostoo")) >= 5
    assert tables.shipped("default") == tables.shipped("../tables/ostoo") == []


@pytest.mark.parametrize(
    "text",
    [
        "expect = {}",
        "expect = {{ min = {} }}",
        "expect = {{ min = 0, max = {} }}",
        "expect = {{ result = {} }}",
        "expect = {{ any = [1, {{ exit = {} }}] }}",
        "expect = 0\nrecord = {{ nr = {} }}",
        'expect = 0\nevents = [{{ event = "child", nr = {} }}]',
        "expect = 0\nargs = [{{ from = 0, to = {} }}]",
        "expect = 0\nargs = [{{ flip = {} }}]",
        "expect = 0\nbefore = [{{ nr = {} }}]",
    ],
)
@pytest.mark.parametrize("wide", ["0x" + "f" * 5000, "0x1" + "0" * 16, "-9223372036854775809"])
def test_no_number_has_more_than_64_bits(text: str, wide: str) -> None:
    with pytest.raises(PolicyError, match=r"^t\.toml:\d+: a number has more than 64 bits") as raised:
        rows('id = "a"\ncall = "getpid"\n' + text.format(wide))
    assert len(str(raised.value)) < 200


def test_nothing_is_at_least_more_than_it_is_at_most() -> None:
    with pytest.raises(PolicyError, match=r"t\.toml:7: expect can't be"):
        rows('id = "a"\ncall = "getpid"\nexpect = { min = 3, max = 2 }')


def test_the_bits_of_a_negative_number_are_flipped() -> None:
    found = rows('id = "a"\ncall = "getpid"\nargs = [{ flip = -1 }]\nexpect = 1')
    assert [row.probe.args[0] for row in found] == [(1 << 64) - 1 ^ 1 << bit for bit in range(64)]


@pytest.mark.parametrize("offset", ["+0x1" + "0" * 16, "-0x1" + "0" * 16])
def test_an_offset_has_64_bits(offset: str) -> None:
    with pytest.raises(PolicyError, match="is no offset of 64 bits"):
        rows(f'id = "a"\ncall = "getpid"\nargs = ["arena{offset}"]\nexpect = 1')


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('call = "getpid"\nchildren = [[{ call = "getpid" }]]', 0),
        ('call = "clone"\nentry = "int80"\nchildren = [[{ call = "getpid" }]]', 0),
        ('call = "clone"\nchildren = [[{ call = "getpid" }], [{ call = "getpid" }]]', 1),
    ],
)
def test_children_that_nobody_makes(text: str, level: int) -> None:
    with pytest.raises(PolicyError, match=rf"^t\.toml:\d+: no step of level {level} makes a task"):
        rows(f'id = "a"\nexpect = 0\n{text}')


def test_an_argument_given_twice() -> None:
    with pytest.raises(PolicyError, match=r"^t\.toml:7: arg0 is flags, given twice"):
        rows('id = "a"\ncall = "clone"\nargs = { flags = 1, arg0 = 2 }\nexpect = 0')
