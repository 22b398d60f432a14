"""A run that is not made: what would be enforced for this policy on this kernel, and why it would be refused.

The guest is really set up, with its user, ruleset and filter, and the program loaded; it is killed before
the program's first instruction. So the kernel itself says whether the run could begin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sandbox import elf, rules
from sandbox._kernel import calls, probe
from sandbox.doctor.facts import container
from sandbox.doctor.feature import printable
from sandbox.doctor.limits import limit_lines
from sandbox.doctor.listing import field, paths
from sandbox.doctor.remedies import delegation
from sandbox.doctor.tally import tally
from sandbox.errors import NotRunnableError, SandboxError, SetupError
from sandbox.launch import cgroup, confine, identity, namespaces, scratch
from sandbox.launch import program as launch
from sandbox.launch.places import Places
from sandbox.policy.model import Policy
from sandbox.request import Request
from sandbox.rules import files
from sandbox.seccomp import bpf
from sandbox.seccomp.compile import compile_policy


class Plan(NamedTuple):
    """Printable lines, and the error such a run would end with, None where it would begin."""

    lines: tuple[str, ...]
    refusal: SandboxError | None


def plan(request: Request, places: Places, outer: Mapping[str, str], *, logged: bool) -> Plan:
    """What a run would have; `places` are the request's, opened. `argv` may be empty; `logged` tells whether
    the run would have an audit log.

    Nothing is left behind: no scratch directory, no process, no log.
    """
    rehearsal = _Rehearsal(request, places, outer, logged)
    try:
        lines = tuple(printable(line) for line in rehearsal.lines())
    finally:
        rehearsal.close()
    return Plan(lines, rehearsal.refusal)


class _Rehearsal:
    def __init__(self, request: Request, places: Places, outer: Mapping[str, str], logged: bool) -> None:
        self.request = request
        self.places = places
        self.policy = request.policy
        self.outer = outer
        self.logged = logged
        self.refusal: SandboxError | None = None
        self.program: launch.Program | None = None
        self.spec = calls.Spec(b"/", (b"/",), (), b"", closed=request.closed)
        self.watches_files = False
        self.executable: tuple[str, ...] | None = None
        self.lacks = ""
        self.scratch: scratch.Scratch | None = None

    def close(self) -> None:
        """Give up the program's file, the ruleset and the scratch directory."""
        if self.scratch is not None:
            self.scratch.remove()
        if self.program is not None:
            os.close(self.program.fd)
        if self.spec.ruleset >= 0:
            os.close(self.spec.ruleset)

    def lines(self) -> Iterator[str]:
        waivers = (*(one.name for one in self.policy.waivers), *self.request.waivers)
        yield field("policy", f"{self.policy.name} ({self.policy.file}, sha256 {self.policy.sha256[:16]}…)")
        yield field("kernel", f"Linux {os.uname().release}")
        for part in (
            self._program, self._user, self._files, self._network, self._environment, self._filter,
            self._limits,
        ):  # fmt: skip
            yield from self._told(part)
        yield from process_lines(self.policy)
        yield field("waivers", ", ".join(waivers) or "none")
        if self.refusal is None:
            yield from self._told(self._begin)
        if self.refusal is None:
            yield field("result", "the run would begin; nothing was run")
        else:
            yield field("result", f"the run would be refused, with exit status {self.refusal.exit_code}")

    def _told(self, part: Callable[[], Iterator[str]]) -> Iterator[str]:
        """The lines of a part, or why the run is refused there. The first refusal counts."""
        try:
            yield from list(part())
        except SandboxError as error:
            self.refusal = self.refusal or error
            yield field("REFUSED", str(error))

    def _program(self) -> Iterator[str]:
        if not self.request.argv:
            yield field("program", "none given: ${program} stands for nothing")
            return
        self.program = launch.open_program(self.request.argv[0], self.outer.get("PATH", launch.DEFAULT_PATH))
        facts = elf.facts(self.program.fd)
        path = launch.exec_path(self.program, moves=self.request.cwd is not None)
        self.spec = self.spec._replace(
            path=os.fsencode(path), argv=tuple(os.fsencode(one) for one in self.request.argv)
        )
        loader = f", interpreter {facts.interpreter}" if facts.interpreter else ""
        yield field("program", f"{self.program.path} ({facts.machine}, {facts.linkage}{loader})")

    def _filter(self) -> Iterator[str]:
        policy = launch.startable(self.policy)
        record_all = self.logged and self.request.level == "all"
        supervised = rules.SUPERVISED | (files.CALLS if self.watches_files else frozenset[int]())
        program = compile_policy(policy, supervised, record_all=record_all)
        self.spec = self.spec._replace(filter=bpf.encode(program))
        count = tally(policy, supervised, record_all=record_all)
        yield field("filter", f"{len(program.insns)} instructions for {sum(count)} system calls:")
        yield field("", f"{count.allowed} allowed and {count.answered} answered in the kernel,")
        yield field("", f"{count.supervised} left to the supervisor, {count.by_arguments} split by arguments")

    def _user(self) -> Iterator[str]:
        root = "root" in (*(one.name for one in self.policy.waivers), *self.request.waivers)
        user = identity.choose(self.request.user, keep_root=root)
        self.spec = self.spec._replace(user=user)
        me = os.geteuid()
        known = _user_name(user[0] if user else me)
        if user is not None:
            yield field("user", f"becomes {known}, group {user[1]}, no other groups, no capabilities")
        elif me == 0:
            yield field("user", "stays root (waived), without capabilities")
        else:
            yield field("user", f"stays {known}, without capabilities")

    def _files(self) -> Iterator[str]:
        wanted = self.policy.files
        if self.request.cwd is not None:
            self.spec = self.spec._replace(cwd=self.places.cwd.fd)
        if self.program is not None:
            self.places.define("program", self.program.fd)
        user = self.spec.user
        scratch.check_apart(confine.written(wanted, self.places), None if user is None else user[0])
        told = list(self._scratch()) if wanted is not None and wanted.scratch else []
        confined = confine.confine(
            wanted, self.places, network=self.policy.network, waived="landlock" in self.request.waivers
        )
        self.watches_files = self.logged and bool(confined.allowed)
        self.executable = confined.allowed.get("exec")
        self.spec = self.spec._replace(ruleset=confined.ruleset)
        yield field("landlock", confined.enforcement)
        if wanted is None:
            yield field("files", "not confined: the policy has no [files]")
            return
        for right in ("read", "write", "exec"):
            yield from paths(right, getattr(wanted, right), self.places)
        yield from told

    def _network(self) -> Iterator[str]:
        network = self.policy.network
        if network is None:
            yield field("network", "not confined but by rules: the policy has no [network]")
            return
        yield field("network", " ".join(network.families) or "none")
        for name, ports in (("  connect", network.connect), ("  bind", network.bind)):
            if network.families:
                yield field(name, " ".join(map(str, ports)) or "no TCP port")
        if namespaces.wanted(network):
            isolation = namespaces.ours()
            self.spec = self.spec._replace(isolate=isolation.flags, maps=isolation.maps)
            self.lacks = isolation.lacks

    def _scratch(self) -> Iterator[str]:
        self.scratch = scratch.make(self.spec.user)
        self.places.define("scratch", self.scratch.fd)
        yield field("scratch", f"a private directory in {self.scratch.home}, removed afterwards")

    def _limits(self) -> Iterator[str]:
        self.spec = self.spec._replace(limits=launch.limits(self.policy))
        if self.policy.limits.memory is None:
            yield from limit_lines(self.policy)
            return
        memory = cgroup.trial()
        yield field("memory", memory)
        if memory not in (cgroup.FULL, cgroup.WITHOUT_SWAP):
            for remedy in delegation(memory, container(), os.geteuid(), "run-untrusted-binary …"):
                yield field("  remedy", remedy)
        yield from limit_lines(self.policy, cgroup=memory in (cgroup.FULL, cgroup.WITHOUT_SWAP))

    def _environment(self) -> Iterator[str]:
        env = launch.environment(self.policy.environment, self.request.env, self.outer)
        env = confine.expanded(env, self.places.names)
        if self.scratch is not None:
            self.scratch.offer(env, self.request.env)
        self.spec = self.spec._replace(
            envp=tuple(os.fsencode(f"{name}={value}") for name, value in env.items())
        )
        yield field("environment", " ".join(sorted(env)) or "empty")

    def _begin(self) -> Iterator[str]:
        answer = probe.in_child(self._launch).value
        if answer is None:
            raise SetupError("the guest cannot be set up: what tried it was killed")
        text, status, lacks, error = answer
        if text:
            refused = SetupError(text)
            refused.exit_code = status
            raise refused
        for feature in ("ptrace", "no-new-privs", "seccomp"):
            yield field(feature, "full: a guest was set up, and stopped before its execve")
        if namespaces.wanted(self.policy.network):
            lacks = self.lacks or lacks
            yield field("namespace", f"none: {lacks}" if lacks else "full: an empty network")
        if self.program is not None:
            self._executed(self.program, error)
            yield field("execve", "full: the program was loaded, and killed before its first instruction")

    def _launch(self) -> tuple[str, int, str, int]:
        """In a child: text and exit status of what failed, or ''; why there are no namespaces, or ''; and the
        errno of the program's execve."""
        try:
            event, lacks = launch.start(self.spec)
        except SandboxError as error:
            return str(error), error.exit_code, "", 0
        return "", 0, lacks, probe.first_execve(event.pid) if self.program is not None else 0

    def _executed(self, program: launch.Program, error: int) -> None:
        if error == probe.DIED:
            raise NotRunnableError(f"{program.path}: execve: the kernel killed the guest")
        if error:
            other = self.spec.user is not None
            raise NotRunnableError(launch.exec_failure(program, error, self.executable, other_user=other))


def process_lines(policy: Policy) -> Iterator[str]:
    """`[process]` in words."""
    if policy.process.vfork == "emulate":
        yield field("vfork", "emulate: the supervisor holds the parent until its child execs or ends")
    else:
        yield field("vfork", "kernel: the kernel holds the parent")
    yield field("threads", "allowed" if policy.process.threads else "refused")
    yield field("vDSO", "there" if policy.process.vdso else "hidden: clocks are system calls")


def _user_name(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return f"user {uid}"
