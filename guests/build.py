"""Build the guest programs: `python guests/build.py [-v] [--package DIR] [NAME...]`, NAME being `spawn`,
`attacks/int80` or `attacks` for all of those.

Each `guests/NAME.c` says in its first comment what it is built as: `build: musl glibc raw`, and which other
sources go with it: `with: lib/trampoline.S`. The result is `guests/build/FLAVOUR/NAME`; only what is older
than its sources, the shared headers or this file is built again. Nothing outside `guests/build` is written.

- musl: static, by the `zig cc` of the ziglang wheel, which carries its own musl and assembler.
- glibc: dynamic, by the system's C compiler (`$CC`, or cc).
- raw: static, without a C library, by the same; `lib/start.S` is the entry point.

Attacks, `guests/attacks/NAME.c`, are built as one flavour to `guests/build/attacks/NAME`, always with
`lib/trampoline.S`. Their first comment also says which classes they try, `class: 1 2`, how they are expected
to fail, `contained: errno` (or killed, or limit), how many ways they try, `ways: 3`, and where their run
needs more, `options: --cpu 1`, or
`needs: terminal` where that is to be its controlling terminal and standard input. That goes to
`guests/build/attacks/index.json`, which the harness reads.

With `--package DIR`, the attacks and the prober among what was named are copied to where the package in DIR,
a `sandbox`, looks for them: setup.py makes wheels so.

Exit status: 0, 1 (a program did not compile; the compiler's message is on standard error), 2 (wrong use, no
compiler).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
JOBS = 2
COMMON = ["-O1", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-std=gnu11", "-fno-stack-protector", "-I", str(HERE)]
# zig's cc turns on undefined-behaviour traps by default: a guest that faults on purpose would die of SIGILL.
ZIG = ["-target", "x86_64-linux-musl", "-static", "-s", "-fno-sanitize=undefined"]
RAW = ["-static", "-nostdlib", "-ffreestanding", "-fno-pie", "-no-pie", "-fcf-protection=none"]
FLAVOURS = ("musl", "glibc", "raw")
ATTACKS = HERE / "attacks"
CONTAINED = ("errno", "killed", "limit")
NEEDS = ("terminal",)
PROBER = ("prober", "raw")


class BuildError(Exception):
    """One guest that cannot be built, with the reason in its text."""


class Target(NamedTuple):
    """One program in one flavour."""

    name: str
    flavour: str
    sources: tuple[Path, ...]
    place: str

    @property
    def output(self) -> Path:
        return HERE / "build" / self.place / self.name

    def is_current(self, shared: float) -> bool:
        """True where the output is no older than its sources and than `shared`, an mtime in seconds."""
        try:
            built = self.output.stat().st_mtime
        except FileNotFoundError:
            return False
        return built >= max(shared, *(source.stat().st_mtime for source in self.sources))


def declared(comment: str, key: str) -> list[str]:
    """The words after `key:` on a line of a program's first comment."""
    found = re.search(rf"^[ /*]*{key}:(.*)$", comment, re.MULTILINE)
    return found[1].replace("*/", " ").split() if found else []


def comment_of(source: Path) -> str:
    return source.read_text(encoding="utf-8").partition("*/")[0]


def flavours_of(source: Path) -> list[str]:
    """What the first comment asks for. Raises BuildError where it asks for none, or for two of an attack."""
    flavours = declared(comment_of(source), "build")
    attack = source.parent == ATTACKS
    if not flavours or set(flavours) - set(FLAVOURS) or (attack and len(flavours) > 1):
        wanted = "build: FLAVOUR" if attack else "build: FLAVOUR..."
        raise BuildError(
            f"{source.name}: the first comment needs a line '{wanted}' (any of {', '.join(FLAVOURS)})"
        )
    return flavours


def targets_of(source: Path) -> list[Target]:
    """Every flavour that a program's first comment asks for. Raises BuildError where it asks for none."""
    attack = source.parent == ATTACKS
    extra = declared(comment_of(source), "with") + (["lib/trampoline.S"] if attack else [])
    sources = (source, *(HERE / name for name in dict.fromkeys(extra)))
    start = HERE / "lib" / "start.S"
    return [
        Target(
            source.stem,
            flavour,
            (*sources, start) if flavour == "raw" else sources,
            "attacks" if attack else flavour,
        )
        for flavour in flavours_of(source)
    ]


def index_entry(source: Path) -> dict[str, object]:
    """What the harness needs to know of an attack. Raises BuildError where its first comment lacks it."""
    comment = comment_of(source)
    classes = declared(comment, "class")
    expected = declared(comment, "contained")
    if not classes or not all(word.isdigit() for word in classes):
        raise BuildError(f"{source.name}: the first comment needs a line 'class: NUMBER...'")
    if not expected or set(expected) - set(CONTAINED):
        allowed = ", ".join(CONTAINED)
        raise BuildError(f"{source.name}: the first comment needs a line 'contained: HOW' (any of {allowed})")
    options, needs = declared(comment, "options"), declared(comment, "needs")
    if set(needs) - set(NEEDS):
        raise BuildError(f"{source.name}: the first comment's line 'needs:' knows {', '.join(NEEDS)} only")
    numbers = [int(word) for word in classes]
    return {
        "classes": numbers,
        "contained": expected,
        "options": options,
        "needs": needs,
        "ways": ways_of(source, comment),
    }


def ways_of(source: Path, comment: str) -> int:
    """How many ways an attack declares. Raises BuildError where it declares none."""
    words = declared(comment, "ways")
    if len(words) == 1 and words[0].isdigit() and int(words[0]):
        return int(words[0])
    raise BuildError(
        f"{source.name}: the first comment needs a line 'ways: NUMBER', the names it gives to attempts"
    )


def index_text() -> str:
    """The facts about all attacks, as the harness reads them. Raises BuildError."""
    index = {source.stem: index_entry(source) for source in sorted(ATTACKS.glob("*.c"))}
    return json.dumps(index, indent=1) + "\n"


def replace_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def select(names: Iterable[str]) -> list[Target]:
    """The targets of the named programs, of all where none is named. Raises BuildError."""
    programs = {source.stem: source for source in sorted(HERE.glob("*.c"))}
    attacks = {f"attacks/{source.stem}": source for source in sorted(ATTACKS.glob("*.c"))}
    known = {**programs, **attacks}
    wanted = [name for given in names for name in (attacks if given == "attacks" else [given])] or list(known)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise BuildError(f"no such guest: {', '.join(unknown)} (there are: {', '.join(known)}, attacks)")
    return [target for name in wanted for target in targets_of(known[name])]


def system_compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc")) or ["cc"]


def check_compilers(flavours: Collection[str]) -> None:
    """Raises BuildError where the compiler of one of these flavours is missing."""
    if "musl" in flavours and find_spec("ziglang") is None:
        raise BuildError(
            "the ziglang package, whose compiler the musl programs need, is missing: "
            "run `python -m pip install '.[guests]'` in the checkout, with this Python"
        )
    compiler = system_compiler()[0]
    if set(flavours) - {"musl"} and shutil.which(compiler) is None:
        raise BuildError(f"there is no C compiler {compiler!r}: install one, such as gcc, or set CC")


def command(target: Target, output: Path) -> list[str]:
    """The compiler's argument vector."""
    files = [*map(str, target.sources), "-o", str(output)]
    if target.flavour == "musl":
        return [sys.executable, "-m", "ziglang", "cc", *ZIG, *COMMON, *files]
    compiler = system_compiler()
    return [*compiler, *(RAW if target.flavour == "raw" else ["-pthread"]), *COMMON, *files]


def environment() -> dict[str, str]:
    """Ours, with zig's caches kept inside the build directory."""
    cache = str(HERE / "build" / ".zig-cache")
    return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def compile_one(target: Target) -> str:
    """Compile into place, whole or not at all; returns the compiler's warnings. Raises BuildError."""
    target.output.parent.mkdir(parents=True, exist_ok=True)
    partial = target.output.with_name(f".{target.name}.partial")
    try:
        done = subprocess.run(
            command(target, partial),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildError(f"{target.name} ({target.flavour}): cannot run the compiler: {error}") from error
    if done.returncode != 0:
        partial.unlink(missing_ok=True)
        raise BuildError(f"{target.name} ({target.flavour}): the compiler said:\n{done.stderr.strip()}")
    partial.replace(target.output)
    return done.stderr


def build(targets: Iterable[Target], *, verbose: bool = False) -> list[str]:
    """Build what is not current, `JOBS` at a time; returns one message for each target that failed.

    Raises BuildError where a compiler is missing.
    """
    shared = max(path.stat().st_mtime for path in [Path(__file__), *HERE.glob("lib/*.h")])
    for_attacks = max([shared, *(path.stat().st_mtime for path in ATTACKS.glob("lib/*.h"))])
    stale = [
        target
        for target in targets
        if not target.is_current(for_attacks if target.place == "attacks" else shared)
    ]
    check_compilers({target.flavour for target in stale})

    def attempt(target: Target) -> str | None:
        try:
            warnings = compile_one(target)
        except BuildError as error:
            return str(error)
        if verbose:
            print(f"{target.output.relative_to(HERE.parent)}\n{warnings}".rstrip(), flush=True)
        return None

    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        return [message for message in pool.map(attempt, stale) if message is not None]


def package_place(target: Target, package: Path) -> Path | None:
    """Where a package has this program; None for one it has not."""
    if target.place == "attacks":
        return package / "attack" / "programs" / target.name
    return package / "conformance" / target.name if (target.name, target.place) == PROBER else None


def copy_to_package(targets: Iterable[Target], index: str, package: Path) -> None:
    """Copy built programs to their places in the package, and nothing else of an earlier build."""
    attacks = package / "attack" / "programs"
    shutil.rmtree(attacks, ignore_errors=True)
    for target in targets:
        if place := package_place(target, package):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target.output, place)
            place.chmod(0o755)
    if attacks.is_dir():
        (attacks / "index.json").write_text(index)


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the module's text."""
    options = command_line(arguments)
    try:
        targets = select(options.names)
        index = index_text()
        failures = build_locked(targets, index, options)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    for failure in failures:
        print(f"build.py: {failure}", file=sys.stderr)
    return 1 if failures else 0


def command_line(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build.py", description="Build the guest programs that have changed."
    )
    add = parser.add_argument
    add("-v", "--verbose", action="store_true", help="one line for each file built")
    add("--package", type=Path, metavar="DIR", help="copy the prober and the attacks to this package")
    add("names", nargs="*", metavar="NAME", help="which programs (default: all)")
    return parser.parse_args(arguments)


def build_locked(targets: list[Target], index: str, options: argparse.Namespace) -> list[str]:
    """One build at a time; what could not be built. Raises BuildError where a compiler is missing."""
    (HERE / "build" / "attacks").mkdir(parents=True, exist_ok=True)
    with (HERE / "build" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failures = build(targets, verbose=options.verbose)
        replace_text(HERE / "build" / "attacks" / "index.json", index)
        if options.package and not failures:
            copy_to_package(targets, index, options.package)
    return failures


if __name__ == "__main__":
    sys.exit(main())
