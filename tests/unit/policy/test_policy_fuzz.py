"""Whatever the text: a policy, or a PolicyError of one line. Never anything else."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import PolicyError
from sandbox.policy.load import loads
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

# The same examples every time, however slow the machine.
FIXED = settings(deadline=None, derandomize=True)


def words(text: str) -> list[str]:
    return text.split()


WORDS = words(
    """
        schema name description extends unlisted calls rule process limits environment files waiver allow
        watch refuse return kill replace id call when unless verdict emulate rewrite quiet hint vfork max
        threads vdso wall cpu memory output file-size open-files keep set write exec add-read add-exec
        scratch reason mask eq ne in lt le gt ge domain type protocol flags path pid sig child_stack mode
        length fd rusage cmd read open clone socket mmap kill wait4 chmod execve fcntl ENOSYS EPERM EINVAL
        0 1 0x10 default ostoo zero-clock CLONE_VM|SIGCHLD O_CLOEXEC ~O_CLOEXEC AF_INET SIGKILL AT_FDCWD
        @memory @chown LC_* 60s 1MiB r /usr ${cwd} ${scratch}/x ${home} ../x
    """
)
NUMBERS = st.one_of(
    st.integers(-3, 3), st.integers(-(2**70), 2**70), st.sampled_from([2**31, 2**32, 2**63, 2**64])
)
WORD = st.one_of(st.sampled_from(WORDS), st.text(max_size=8))
SCALARS = st.one_of(WORD, NUMBERS, st.booleans(), st.floats())


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(children, max_size=4), st.dictionaries(WORD, children, max_size=4))


VALUES = st.recursive(SCALARS, _nested, max_leaves=12)


def toml(value: Any) -> str:
    """A value in TOML's inline form."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            inner = "".join(c if c.isalnum() or c in " _|~@*-./" else f"\\U{ord(c):08x}" for c in value)
            return f'"{inner}"'
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def outcome(text: str) -> Policy | None:
    """The policy in a text, or None after checking its error."""
    try:
        return loads(text, file="fuzz.toml")
    except PolicyError as caught:
        error = caught
    assert str(error).startswith("fuzz.toml:")
    assert 1 <= error.line <= 1 + text.count("\n")
    assert error.allowed
    assert str(error).isprintable()
    return None


@FIXED
@given(st.text())
def test_any_text(text: str) -> None:
    assert outcome(text) is None or "schema" in text


@FIXED
@given(st.text(alphabet=" \n[]{}=.,\"'#\\tru1ae-_|~@"))
def test_text_of_tomls_own_characters(text: str) -> None:
    assert outcome(text) is None


@FIXED
@given(
    st.lists(
        st.sampled_from([*WORDS, "=", "[", "]", "[[", "]]", "{", "}", ",", ".", "\n", '"', "'''", '"""'])
    )
)
def test_text_of_the_languages_own_words(words: list[str]) -> None:
    outcome("schema = 1\n" + " ".join(words))


@FIXED
@given(st.dictionaries(st.one_of(st.sampled_from(WORDS[:12]), WORD), VALUES, max_size=5))
def test_any_toml_document(document: dict[str, Any]) -> None:
    outcome("schema = 1\n" + "\n".join(f"{toml(key)} = {toml(value)}" for key, value in document.items()))


CALLS = ["clone", "socket", "mmap", "kill", "chmod", "open", "wait4", "execve", "openat", "close_range"]
OPERATORS = ["mask", "eq", "ne", "in", "lt", "le", "gt", "ge"]
ACTIONS = ['verdict = "EPERM"', "return = 7", 'verdict = "kill"', 'verdict = "watch"']


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, str]:
    """A call, and the text of a policy with one rule for it that may well be right."""
    name = draw(st.sampled_from(CALLS))
    nr = table.number(name)
    assert nr is not None
    operand = st.one_of(NUMBERS, st.sampled_from(WORDS))
    test = st.one_of(
        operand, st.dictionaries(st.sampled_from(OPERATORS), operand | st.lists(operand), max_size=3)
    )
    names = st.sampled_from([arg.name for arg in table.arguments(nr)])
    lines = ["schema = 1", "[[rule]]", 'id = "r"', f'call = "{name}"', draw(st.sampled_from(ACTIONS))]
    for key in draw(st.lists(st.sampled_from(["when", "unless"]), unique=True)):
        lines.append(f"{key} = {toml(draw(st.dictionaries(names, test, min_size=1, max_size=3)))}")
    return name, "\n".join(lines)


@settings(FIXED, max_examples=300)
@given(rules(), st.lists(st.integers(0, MASK64), min_size=6, max_size=6))
def test_a_rule_is_refused_or_decides(rule: tuple[str, str], args: list[int]) -> None:
    policy = outcome(rule[1])
    if policy is None:
        return
    a, b, c, d, e, f = args
    nr = table.number(rule[0])
    assert nr is not None
    decision = policy.decide(Call(nr, (a, b, c, d, e, f)))
    one = policy.rules[nr][0]
    assert decision == (one.action if one.matches(Call(nr, (a, b, c, d, e, f))) else policy.unlisted)
