"""`policy check`: what is wrong with a policy, as findings with file and line.

A policy without findings has rules that all decide something, lists that are all asked, a waiver for every
weakening, and no waiver for anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sandbox.errors import PolicyError, SetupError
from sandbox.policy.layers import Layer, combine
from sandbox.policy.load import Loaded, load_layers
from sandbox.policy.model import Condition, Policy, Rule
from sandbox.policy.source import did_you_mean
from sandbox.policy.values import quote
from sandbox.policy.weakenings import NAMES, WEAKENINGS
from sandbox.policytools.boxes import EVERYTHING, Budget, TooManyCasesError, undecided
from sandbox.policytools.findings import INVALID, Finding, finding
from sandbox.policytools.places import Place, at, entries, entry_for, of_unlisted
from sandbox.policytools.rule_checks import UNCHECKED, check_rules
from sandbox.policytools.weak import Opening, present, running
from sandbox.rules import SUPERVISED
from sandbox.seccomp.compile import compile_policy
from sandbox.syscalls import flags, table

# Calls that no policy can allow, because the supervisor refuses them whatever their arguments are.
ALWAYS_REFUSED = {
    "clone3": "its flags lie in memory, where they can change after they were judged",
    "pidfd_send_signal": "an opened /proc/PID of anybody's process would do as its pidfd",
}

_CLONE = table.NUMBERS["clone"]
_CLONE_THREAD = flags.FLAG_SETS["clone"].bits["CLONE_THREAD"]
_WHY = {one.name: one.why for one in WEAKENINGS}


def check(name_or_path: str) -> list[Finding]:
    """All findings about a policy, those of the files it extends among them; [] for a clean one.

    A policy that does not load is one finding of the kind `invalid`. Raises PolicyError where there is no
    such policy, or its file cannot be read.
    """
    try:
        loaded = load_layers(name_or_path)
    except PolicyError as error:
        if not error.line:
            raise
        allowed = f"; allowed here: {error.allowed}" if error.allowed else ""
        return [Finding(INVALID, error.file, error.line, error.message + allowed)]
    return findings(loaded)


def findings(loaded: Loaded, budget: Budget | None = None) -> list[Finding]:
    """All findings about a policy that loads, file by file in the order of their lines."""
    budget = budget or Budget()
    found = list(_too_large(loaded))
    if found:
        # No run can use it, and looking at so many rules takes long.
        return found
    for depth, layer in enumerate(loaded.layers):
        rest = loaded.layers[depth:]
        found += check_rules(layer, budget)
        found += _guarded(layer, _unreachable(rest, budget))
        found += _guarded(layer, _always_refused(rest, budget))
        found += _guarded(layer, _waivers(rest, budget))
    found += _guarded(loaded.layers[0], _unexplained(loaded, budget))
    found += _guarded(loaded.layers[0], _no_threads(loaded, budget))
    found += _scratch(loaded)
    found += _ports(loaded)
    order = [layer.source.file for layer in loaded.layers]
    return sorted(dict.fromkeys(found), key=lambda one: (order.index(one.file), one.line))


def _guarded(layer: Layer, found: Iterable[Finding]) -> Iterator[Finding]:
    """These findings, and one more where a question was too hard."""
    try:
        yield from found
    except TooManyCasesError:
        yield finding(UNCHECKED, at(layer), "the rules are too intricate to check all of them")


def _too_large(loaded: Loaded) -> Iterator[Finding]:
    try:
        compile_policy(loaded.policy, SUPERVISED)
    except SetupError as error:
        yield finding("too-large", at(loaded.layers[0]), str(error))


def _decides_all(layers: Iterable[Layer], nr: int, budget: Budget) -> list[Rule]:
    """The rules of these files for a call, where between them they decide it whatever its arguments are."""
    budget.next_question()
    rules = [rule for layer in layers for rule in layer.rules if rule.nr == nr]
    return rules if rules and undecided(EVERYTHING, rules, budget) is None else []


def _unreachable(layers: tuple[Layer, ...], budget: Budget) -> Iterator[Finding]:
    """Calls listed by name that rules decide always. In a @group, such a call may well stand."""
    for word, place in entries(layers[0]):
        rules = [] if word.startswith("@") else _decides_all(layers, table.NUMBERS[word], budget)
        if rules:
            deciders = ", ".join(f"{rule.id} ({Place(rule.file, rule.line)})" for rule in rules[:3])
            message = f"[calls] is never asked about {word}: rules decide it always: {deciders}"
            yield finding("unreachable", place, message)


def _always_refused(layers: tuple[Layer, ...], budget: Budget) -> Iterator[Finding]:
    """Calls that one file allows by name or rule, and that the supervisor refuses all the same."""
    policy = combine(layers, "")
    for name, why in ALWAYS_REFUSED.items():
        nr = table.NUMBERS[name]
        named = [entry.place for entry in entries(layers[0]) if entry.word == name]
        for rule in running(policy, nr, (), budget):
            places = named if rule is None else [Place(rule.file, rule.line)]
            for place in places:
                yield finding("always-refused", place, f"{name} is refused whatever a policy says: {why}")


def _waivers(layers: tuple[Layer, ...], budget: Budget) -> Iterator[Finding]:
    """Waivers in one file that name nothing the policy does, as far as that file knows it."""
    if not layers[0].waivers:
        return
    weak = present(combine(layers, ""), budget)
    for nth, waiver in enumerate(layers[0].waivers):
        place = at(layers[0], "waiver", nth, "name")
        if waiver.name not in NAMES:
            near = did_you_mean(waiver.name, NAMES)
            message = f"waiver {quote(waiver.name)} names no weakening{near}; there are: {', '.join(NAMES)}"
            yield finding("unknown-waiver", place, message)
        elif waiver.name not in weak:
            message = f"waiver {waiver.name} is not needed: nothing in the policy {_WHY[waiver.name]}"
            yield finding("unused-waiver", place, message)


def _unexplained(loaded: Loaded, budget: Budget) -> Iterator[Finding]:
    """Weakenings without a waiver."""
    waived = {waiver.name for waiver in loaded.policy.waivers}
    for name, opening in present(loaded.policy, budget).items():
        if name not in waived:
            message = f"the policy {_opened(opening)}, and so {_WHY[name]}"
            needed = f'a [[waiver]] with name = "{name}" must give the reason'
            yield finding("unexplained-weakening", _place(loaded, opening), f"{message}: {needed}")


def _opened(opening: Opening) -> str:
    nr, rule = opening
    if nr < 0:
        return 'allows calls that it does not name (unlisted = "allow")'
    return f"lets {table.name(nr)} run" + (f" by rule {rule.id}" if rule else "")


def _place(loaded: Loaded, opening: Opening) -> Place:
    nr, rule = opening
    if rule is not None:
        return Place(rule.file, rule.line)
    entry = entry_for(loaded.layers, nr) if nr >= 0 else None
    return entry.place if entry else of_unlisted(loaded.layers)


def _no_threads(loaded: Loaded, budget: Budget) -> Iterator[Finding]:
    """`threads = true` where no rule lets clone make one."""
    if not loaded.policy.process.threads or _thread_possible(loaded.policy, budget):
        return
    for layer in loaded.layers:
        if "threads" in layer.process:
            message = "threads = true has no effect: clone may never have CLONE_THREAD"
            yield finding("no-effect", at(layer, "process", "threads"), message)
            return


def _scratch(loaded: Loaded) -> Iterator[Finding]:
    """A scratch directory that nothing may be written in, and lists that name one that is not made."""
    files = loaded.policy.files
    if files is None:
        return
    if files.scratch and not any(map(_in_scratch, files.write)):
        message = "scratch = true makes a directory that the program may not write: write lacks ${scratch}"
        yield finding("no-effect", _said_in(loaded, "scratch"), message)
    unsaid = all("scratch" not in (layer.files or {}) for layer in loaded.layers)
    for key in ("read", "write", "exec"):
        if unsaid and any(map(_in_scratch, getattr(files, key))):
            message = f"${{scratch}} in {key} names nothing: there is no scratch = true"
            yield finding("no-effect", _said_in(loaded, key), message)


def _ports(loaded: Loaded) -> Iterator[Finding]:
    """Lists of TCP ports where no family of sockets may be used."""
    network = loaded.policy.network
    if network is None or network.families:
        return
    for key in ("connect", "bind"):
        if getattr(network, key):
            message = f"{key} in [network] has no effect without families: the program gets an empty network"
            place = next(at(layer, "network", key) for layer in loaded.layers if key in (layer.network or {}))
            yield finding("no-effect", place, message)


def _in_scratch(path: str) -> bool:
    return path.startswith("${scratch}")


def _said_in(loaded: Loaded, key: str) -> Place:
    """The first place that says `key`, or adds to it, in [files]."""
    for layer in loaded.layers:
        for name in (key, f"add-{key}"):
            if name in (layer.files or {}):
                return at(layer, "files", name)
    return at(loaded.layers[0])


def _thread_possible(policy: Policy, budget: Budget) -> bool:
    wants = Condition(0, "in", (_CLONE_THREAD,), _CLONE_THREAD)
    return any(True for _ in running(policy, _CLONE, (wants,), budget))
