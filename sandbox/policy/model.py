"""A policy as a frozen value, and the one pure function that judges a call by it.

A policy does not know how it is enforced: `seccomp` compiles it for the kernel, `rules` answers for the
supervisor, and both must agree with `Policy.decide`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sandbox.outcome import Allow, Decision, Refuse, Rewrite
from sandbox.syscalls.call import Call

Op = Literal["in", "notin", "lt", "le", "gt", "ge"]


class Condition(NamedTuple):
    """A test of one argument: `(value & mask) op values`.

    `bits` is the width the kernel gives the argument (32 for an `int`), so the test sees the value cut to
    that width; `signed` says how `lt`, `le`, `gt`, `ge` compare. `values` holds unsigned numbers of `bits`
    width: any number of them for `in` and `notin`, exactly one for the others (whose mask is all ones).
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which no condition needs
    op: Op
    values: tuple[int, ...]
    mask: int
    bits: Literal[32, 64] = 64
    signed: bool = False

    def holds(self, call: Call) -> bool:
        """True where the call's argument passes the test."""
        full = (1 << self.bits) - 1
        value = call.args[self.index] & full & self.mask
        if self.op == "in":
            return value in self.values
        if self.op == "notin":
            return value not in self.values
        limit = self.values[0]
        if self.signed:
            # Flipping the sign bit maps two's complement order onto unsigned order.
            sign = 1 << (self.bits - 1)
            value, limit = value ^ sign, limit ^ sign
        match self.op:
            case "lt":
                return value < limit
            case "le":
                return value <= limit
            case "gt":
                return value > limit
            case "ge":
                return value >= limit


class RewriteSpec(NamedTuple):
    """A rule's `rewrite`: which arguments the kernel gets instead of the guest's.

    `changes` holds (index, keep_mask, set_bits) each: the new value is `(old & keep_mask) | set_bits`.
    A `keep_mask` of 0 stores a constant; one for a 32-bit argument has no upper bits, so these become 0.
    """

    changes: tuple[tuple[int, int, int], ...]
    rule: str

    def apply(self, call: Call) -> Rewrite | Allow:
        """The change this call needs, only the arguments that differ; `Allow` where none does."""
        new = ((index, call.args[index] & keep | bits) for index, keep, bits in self.changes)
        changed = tuple((index, value) for index, value in new if value != call.args[index])
        return Rewrite(changed, self.rule) if changed else Allow(self.rule)


class Rule(NamedTuple):
    """One `[[rule]]`: it matches where all of `when` hold and not all of `unless` (if there are any) hold.

    A rule written for several calls is one value per call, all with the same `id`.
    """

    id: str
    nr: int
    call: str
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    action: Decision | RewriteSpec
    file: str = ""
    line: int = 0
    hint: str = ""

    def matches(self, call: Call) -> bool:
        """True where this rule decides the call."""
        if not all(test.holds(call) for test in self.when):
            return False
        return not self.unless or not all(test.holds(call) for test in self.unless)

    def decide(self, call: Call) -> Decision:
        """What happens to a call this rule matches: its action, a `RewriteSpec` applied to the arguments."""
        return self.action.apply(call) if isinstance(self.action, RewriteSpec) else self.action


class Process(NamedTuple):
    """`[process]`: who blocks a vfork parent, how many tasks may live, whether threads may be made.

    `vdso` False hides the vDSO, so that clock_gettime and its like become system calls again.
    """

    vfork: Literal["emulate", "kernel"] = "emulate"
    max: int | None = None
    threads: bool = False
    vdso: bool = True


class Limits(NamedTuple):
    """`[limits]`: wall and cpu in seconds, open_files as a count, all others in bytes.

    None is no limit. cpu and memory count every process of the run together; output is what reaches
    standard output and error; file_size and open_files hold for each file and process; audit_size is of the
    log, where there is one.
    """

    wall: float | None = None
    cpu: float | None = None
    memory: int | None = None
    output: int | None = None
    file_size: int | None = None
    open_files: int | None = None
    audit_size: int | None = None


class Files(NamedTuple):
    """`[files]`: what may be read, written (and read), executed (and read): a file, or all in a directory.

    A path may start with `${cwd}`, `${program}` or `${scratch}`. `scratch` gives the guest a private
    directory as TMPDIR, which is removed after the run.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    exec: tuple[str, ...] = ()
    scratch: bool = False


class Network(NamedTuple):
    """`[network]`: socket families (none: no network at all) and the TCP ports to reach and to serve."""

    families: tuple[str, ...] = ()
    connect: tuple[int, ...] = ()
    bind: tuple[int, ...] = ()


class Environment(NamedTuple):
    """`[environment]`: names kept from the caller's (a trailing * matches the rest), and values set."""

    keep: tuple[str, ...] = ()
    set: tuple[tuple[str, str], ...] = ()


class Waiver(NamedTuple):
    """A weakening somebody gave a reason for."""

    name: str
    reason: str


class Policy(NamedTuple):
    """A whole policy, `extends` resolved. `rules` and `calls` are keyed by call number."""

    name: str
    description: str
    file: str
    sha256: str
    unlisted: Decision
    calls: dict[int, Decision]
    rules: dict[int, tuple[Rule, ...]]
    process: Process = Process()
    limits: Limits = Limits()
    environment: Environment = Environment()
    files: Files | None = None
    network: Network | None = None
    waivers: tuple[Waiver, ...] = ()

    def decide(self, call: Call) -> Decision:
        """The first matching rule's action, else what `[calls]` says, else `unlisted`. Pure."""
        for rule in self.rules.get(call.nr, ()):
            if rule.matches(call):
                return rule.decide(call)
        return self.calls.get(call.nr, self.unlisted)

    @staticmethod
    def load(name_or_path: str) -> Policy:
        """A shipped policy by name, or one from a file (`sandbox.policy.load`). Raises PolicyError."""
        from sandbox.policy.load import load

        return load(name_or_path)

    def hint(self, rule: str) -> str:
        """The `hint` text of the rule with this id, or ''."""
        for rules in self.rules.values():
            for one in rules:
                if one.id == rule:
                    return one.hint
        return ""


ENOSYS = 38
REFUSE_UNLISTED = Refuse(ENOSYS, "unlisted")
