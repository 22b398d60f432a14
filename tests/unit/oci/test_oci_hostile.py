"""Wrong and hostile JSON: one clear line that names the place, never anything else."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import PolicyError
from sandbox.oci.importer import Target, import_profile
from sandbox.oci.source import MAX_BYTES, read_profile


def refused(data: bytes, file: str = "p.json") -> str:
    with pytest.raises(PolicyError) as caught:
        import_profile(data, file, Target())
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 2000
    return text


BAD_BYTES: list[tuple[str, bytes, str]] = [
    ("empty", b"", "p.json:1: not valid JSON"),
    ("text", b"hello", "p.json:1: not valid JSON"),
    ("cut off", b'{"defaultAction": "SCMP', "p.json:1: not valid JSON"),
    ("in line 3", b'{\n"defaultAction":\n nope}', "p.json:3: not valid JSON"),
    ("two values", b"{} {}", "not valid JSON"),
    ("a comma too many", b'{"syscalls": [],}', "not valid JSON"),
    ("single quotes", b"{'a': 1}", "not valid JSON"),
    ("NaN", b'{"a": NaN}', "NaN is no JSON number"),
    ("infinity", b'{"a": -Infinity}', "-Infinity is no JSON number"),
    ("a control character", b'{"a": "\n"}', "not valid JSON"),
    ("not UTF-8", b'{"a": "\xff"}', "not UTF-8"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), "not UTF-8"),
    ("a byte-order mark", b"\xef\xbb\xbf{}", "not valid JSON"),
    ("binary junk", bytes(range(256)), "not UTF-8"),
    ("zeros", bytes(1000), "not valid JSON"),
    ("lists too deep", b"[" * 200_000, "nested too deeply"),
    ("objects too deep", b'{"a":' * 200_000, "nested too deeply"),
    ("deep and whole", b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ("too large", b" " * (MAX_BYTES + 1), "too large; allowed here: at most 10000000 bytes"),
    ("a list", b"[]", "a list is in the wrong place; allowed here: an object in { }"),
    ("null", b"null", "null is in the wrong place"),
    ("a number", b"7", "7 is in the wrong place"),
    ("no action", b"{}", "defaultAction is missing"),
    ("another file", b'{"linux": {}}', "linux: seccomp is missing"),
    ("another kind", b'{"linux": []}', "linux: a list is in the wrong place"),
    ("a key twice", b'{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_KILL"}',
     "p.json: defaultAction: this key is there twice"),
    ("a key twice, deep", b'{"x": [0, {"y": {"args": 1, "b": 2, "args": 1}}]}',
     "p.json: x[1].y.args: this key is there twice"),
    ("a strange key twice", b'{"a\\u001b\\n": 1, "a\\u001b\\n": 1}', "'a\\x1b\\n': this key is there twice"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "says"), [case[1:] for case in BAD_BYTES], ids=[case[0] for case in BAD_BYTES]
)
def test_what_is_no_profile(data: bytes, says: str) -> None:
    assert says in refused(data)


ARG = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
ENTRY: dict[str, Any] = {"names": ["dup2"], "action": "SCMP_ACT_ALLOW"}


def top(**fields: Any) -> dict[str, Any]:
    return {"defaultAction": "SCMP_ACT_ERRNO", **fields}


def at_entry(**fields: Any) -> dict[str, Any]:
    return top(syscalls=[ENTRY, ENTRY, {**ENTRY, **fields}])


def at_arg(**fields: Any) -> dict[str, Any]:
    return at_entry(args=[ARG, {**ARG, **fields}])


BAD: list[tuple[dict[str, Any], str]] = [
    (top(defaultAction="SCMP_ACT_ALOW"), "defaultAction: it can't be 'SCMP_ACT_ALOW'; allowed here: "),
    (top(defaultAction="SCMP_ACT_ALOW"), "did you mean SCMP_ACT_ALLOW?"),
    (top(defaultAction=""), "defaultAction: it can't be ''"),
    (top(defaultAction=None), "defaultAction is missing"),
    (top(defaultAction=1), "defaultAction: 1 is in the wrong place"),
    (top(defaultErrnoRet="EPERM"), "defaultErrnoRet: it can't be 'EPERM'"),
    (top(defaultErrnoRet=-1), "defaultErrnoRet: it can't be -1"),
    (top(defaultErrnoRet=65536), "defaultErrnoRet: it can't be 65536"),
    (top(defaultErrnoRet=True), "defaultErrnoRet: it can't be true"),
    (top(defaultErrnoRet=1.0), "defaultErrnoRet: it can't be a fraction"),
    (top(defaultErrno="ENOSUCH"), "defaultErrno: 'ENOSUCH' is no errno"),
    (top(defaultErrno="ENOSYS", defaultErrnoRet=1), "defaultErrno: it is not the errno that"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}, "SCMP_ACT_ALLOW takes no errno"),
    (top(architectures="SCMP_ARCH_X86"), "architectures: 'SCMP_ARCH_X86' is in the wrong place"),
    (top(architectures=[1]), "architectures[0]: 1 is in the wrong place"),
    (top(architectures=["x"], archMap=[{"architecture": "x"}]), "archMap[0]: archMap beside"),
    (top(archMap=[{}]), "archMap[0]: architecture is missing"),
    (top(archMap={}), "archMap: an object is in the wrong place"),
    (top(archMap=[{"architecture": "x", "subArchitectures": "y"}]), "archMap[0].subArchitectures: 'y'"),
    (top(flags=["SECCOMP_FILTER_FLAG_TSINC"]), "flags[0]: it can't be 'SECCOMP_FILTER_FLAG_TSINC'"),
    (top(flags={}), "flags: an object is in the wrong place"),
    (top(comment=7), "comment: 7 is in the wrong place"),
    (top(syscalls={}), "syscalls: an object is in the wrong place"),
    (top(syscalls=["read"]), "syscalls[0]: 'read' is in the wrong place; allowed here: an object"),
    (top(syscalls=[[]]), "syscalls[0]: a list is in the wrong place"),
    (top(syscalls=[None]), "syscalls[0]: null is in the wrong place"),
    (top(Syscalls=[]), "'Syscalls' is no key here; allowed here: syscalls"),
    (at_entry(names=[]), "syscalls[2]: an entry for no call"),
    (at_entry(names=None), "syscalls[2]: an entry for no call"),
    (at_entry(names="dup2"), "syscalls[2].names: 'dup2' is in the wrong place"),
    (at_entry(names=["dup2", 3]), "syscalls[2].names[1]: 3 is in the wrong place"),
    (at_entry(names=["a" * 5000]), "syscalls[2].names[0]: the text is too long"),
    (at_entry(name="dup2"), "syscalls[2].name: name beside names"),
    (at_entry(action="ALLOW"), "syscalls[2].action: it can't be 'ALLOW'"),
    (at_entry(action=None), "syscalls[2]: action is missing"),
    (at_entry(action=["SCMP_ACT_ALLOW"]), "syscalls[2].action: a list is in the wrong place"),
    (at_entry(errnoRet=1), "syscalls[2]: SCMP_ACT_ALLOW takes no errno"),
    (at_entry(action="SCMP_ACT_ERRNO", errnoRet=1 << 40), "syscalls[2].errnoRet: it can't be 1099511627776"),
    (at_entry(action="SCMP_ACT_ERRNO", errno="EWHAT\x1b"), "syscalls[2].errno: 'EWHAT\\x1b' is no errno"),
    (at_entry(Args=[]), "syscalls[2]: 'Args' is no key here; allowed here: args"),
    (at_entry(comment={}), "syscalls[2].comment: an object is in the wrong place"),
    (at_entry(args={}), "syscalls[2].args: an object is in the wrong place"),
    (at_entry(args=[ARG, 5]), "syscalls[2].args[1]: 5 is in the wrong place"),
    (at_entry(args=[None]), "syscalls[2].args[0]: null is in the wrong place"),
    (at_arg(index=6), "syscalls[2].args[1].index: it can't be 6; allowed here: a whole number from 0 to 5"),
    (at_arg(index=-1), "syscalls[2].args[1].index: it can't be -1"),
    (at_arg(index="0"), "syscalls[2].args[1].index: it can't be '0'"),
    (at_arg(index=None), "syscalls[2].args[1]: index is missing"),
    (at_arg(value=None), "syscalls[2].args[1]: value is missing"),
    (at_arg(value=-1), "syscalls[2].args[1].value: it can't be -1"),
    (at_arg(value=1 << 64), "syscalls[2].args[1].value: it can't be 0x10000000000000000"),
    (at_arg(value=1.5), "syscalls[2].args[1].value: it can't be a fraction"),
    (at_arg(value=False), "syscalls[2].args[1].value: it can't be false"),
    (at_arg(valueTwo="x"), "syscalls[2].args[1].valueTwo: it can't be 'x'"),
    (at_arg(valueTwo=1 << 64), "syscalls[2].args[1].valueTwo: it can't be"),
    (at_arg(op="SCMP_CMP_EG"), "syscalls[2].args[1].op: it can't be 'SCMP_CMP_EG'"),
    (at_arg(op="EQ"), "syscalls[2].args[1].op: it can't be 'EQ'"),
    (at_arg(op=None), "syscalls[2].args[1]: op is missing"),
    (at_arg(OP="SCMP_CMP_EQ"), "syscalls[2].args[1]: 'OP' is no key here; allowed here: op"),
    (at_entry(includes=[]), "syscalls[2].includes: a list is in the wrong place"),
    (at_entry(includes={"caps": "CAP_BPF"}), "syscalls[2].includes.caps: 'CAP_BPF' is in the wrong place"),
    (at_entry(excludes={"arches": [1]}), "syscalls[2].excludes.arches[0]: 1 is in the wrong place"),
    (at_entry(includes={"minKernel": "new"}), "syscalls[2].includes.minKernel: it can't be 'new'"),
    (at_entry(includes={"minKernel": 4.8}), "syscalls[2].includes.minKernel: a fraction"),
    (at_entry(excludes={"minKernel": "4"}), "syscalls[2].excludes.minKernel: it can't be '4'"),
    (at_entry(includes={"MinKernel": "4.8"}), "syscalls[2].includes: 'MinKernel' is no key here"),
    ({"linux": {"seccomp": at_arg(index=6)}}, "linux.seccomp.syscalls[2].args[1].index: it can't be 6"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "says"), BAD, ids=[f"{nth}-{case[1][:30]}" for nth, case in enumerate(BAD)]
)
def test_what_is_wrong_in_a_profile(profile: dict[str, Any], says: str) -> None:
    text = refused(json.dumps(profile).encode())
    assert text.startswith("p.json: ")
    assert says in text


@pytest.mark.parametrize("digits", [25, 400, 5000, 100_000])
def test_a_number_of_many_digits(digits: int) -> None:
    number = b"9" * digits
    data = json.dumps(at_arg(value=12321)).encode().replace(b"12321", number)
    assert "syscalls[2].args[1].value: it can't be" in refused(data)


def test_the_files_name_is_shown_safely() -> None:
    assert refused(b"7", "a\x1b[2J\n.json").startswith("a\\x1b[2J\\n.json: 7 is")


def test_what_makes_too_large_a_policy() -> None:
    entries = [
        {**ENTRY, "args": [{**ARG, "value": value * 9}, {**ARG, "index": 1, "value": value * 7}]}
        for value in range(12_000)
    ]
    text = refused(json.dumps(top(syscalls=entries)).encode())
    assert "the profile makes no policy" in text
    assert "too large" in text


def test_many_rules_for_one_call_are_joined_in_good_time() -> None:
    entries = [{**ENTRY, "args": [{**ARG, "value": value * 2}]} for value in range(20_000)]
    made = import_profile(json.dumps(top(syscalls=entries)).encode(), "p.json", Target())
    assert made.text.count("[[rule]]") == 1


def test_many_overlapping_rules_with_two_answers_are_named_without_looking_at_each_pair() -> None:
    entries = [
        {"names": ["dup2"], "action": action, "args": [{**ARG, "index": index, "value": 3 * value}]}
        for value in range(1000)
        for index, action in enumerate(("SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS"))
    ]
    made = import_profile(json.dumps(top(syscalls=entries)).encode(), "p.json", Target())
    assert any("overlap" in loss for loss in made.losses)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PLACES = (
    "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "syscalls",
    "comment", "listenerPath", "linux",
)  # fmt: skip
FIELDS = ("names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(PLACES), JSON, max_size=4),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
)
def test_any_values_anywhere(fields: dict[str, Any], entry: dict[str, Any]) -> None:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{**ENTRY, **entry}], **fields}
    assert all(line.isprintable() for line in outcome(json.dumps(profile).encode()).splitlines())


def outcome(data: bytes) -> str:
    """The policy made, or the error."""
    try:
        return import_profile(data, "p.json", Target()).text
    except PolicyError as error:
        return str(error)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 60))
def test_damaged_bytes(junk: bytes, place: int, gone: int) -> None:
    data = json.dumps(at_arg()).encode()
    damaged = data[:place] + junk + data[place + gone :]
    assert all(line.isprintable() for line in outcome(damaged).splitlines())


def test_reading_stops_at_the_limit(tmp_path: Any) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 3)
    assert len(read_profile(str(path))) == MAX_BYTES + 1


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/", "/nonexistent/file", "a\0b", ""])
def test_what_is_no_regular_file(path: str) -> None:
    with pytest.raises(PolicyError, match="can't read the profile"):
        read_profile(path)


def test_a_fifo_is_not_waited_for(tmp_path: Any) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(PolicyError, match="a regular file"):
        read_profile(str(path))
