"""The documentation says what there is: every option, key, event, policy and room, and none that is not."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from sandbox import rules
from sandbox.audit import records
from sandbox.cli import ctl
from sandbox.cli import run as run_command
from sandbox.conformance import row_reader, tables
from sandbox.conformance.report import as_json
from sandbox.conformance.suite import Checked, Part
from sandbox.outcome import Status
from sandbox.policy import call_lists, conditions, layers, rule_tables
from sandbox.policy.emulations import EMULATION_CALLS
from sandbox.policy.groups import GROUPS
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Environment, Files, Limits, Network, Process, RewriteSpec, Waiver
from sandbox.request import WAIVERS
from sandbox.rules import files
from sandbox.syscalls import table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])
MANUALS = sorted((DOCS / "man").glob("*.1"))
BASH = DOCS / "completion" / "bash" / "run-untrusted-binary"
ZSH = DOCS / "completion" / "zsh" / "_run-untrusted-binary"
FISH = DOCS / "completion" / "fish" / "run-untrusted-binary.fish"
COMPLETIONS = (BASH, ZSH, FISH)
EXPLAINERS = (ROOT / "README.md", DOCS / "man" / "run-untrusted-binary.1")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """The text under a heading, up to the next heading of any level, without blocks of code."""
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", prose, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no heading {title!r}"
    return found[1]


def first_column(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables of a text."""
    cells = re.findall(r"^\| (`(?:[^|]|\\\|)*?) \|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]*)`", cell)}


# ---- options ----

RUN_ACTIONS = [one for one in run_command._parser()._actions if one.option_strings]
RUN_OPTIONS = {option for action in RUN_ACTIONS for option in action.option_strings}
VALUED = {option for action in RUN_ACTIONS if action.nargs != 0 for option in action.option_strings}


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of all its subcommands."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [below for choice in action.choices.values() for below in parsers(choice)]
    return found


CTL_OPTIONS = {
    option
    for parser in parsers(ctl._parser(list(ctl.VERBS)))
    for action in parser._actions
    for option in action.option_strings
}


def manual_options(manual: str) -> set[str]:
    return {f"-{word}" for word in re.findall(r"\bFl (-?[a-z][a-z-]*)", read(f"docs/man/{manual}"))}


def readme_options() -> set[str]:
    cells = first_column(section("README.md", "Running a program"))
    return {word for cell in cells for word in cell.split() if word.startswith("-")}


def bash_words(variable: str) -> set[str]:
    found = re.search(rf"{variable}='([^']*)'", BASH.read_text(encoding="utf-8"))
    assert found
    return set(found[1].split())


def zsh_options() -> set[str]:
    lines = [line.strip() for line in ZSH.read_text(encoding="utf-8").splitlines()]
    specs = [line.partition("[")[0] for line in lines if line.startswith("'") and "[" in line]
    return {option for spec in specs for option in re.findall(r"--?[a-z][a-z-]*", spec)}


def fish_options() -> set[str]:
    lines = FISH.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.startswith("complete "))
    short, long = re.findall(r" -s (\w)", text), re.findall(r" -l ([a-z-]+)", text)
    return {f"-{one}" for one in short} | {f"--{one}" for one in long}


@pytest.mark.parametrize(
    ("documented", "there"),
    [
        pytest.param(readme_options(), RUN_OPTIONS, id="README"),
        pytest.param(manual_options("run-untrusted-binary.1"), RUN_OPTIONS, id="run-untrusted-binary.1"),
        pytest.param(manual_options("sandboxctl.1"), CTL_OPTIONS, id="sandboxctl.1"),
        pytest.param(bash_words("options"), RUN_OPTIONS, id="bash"),
        pytest.param(bash_words("with_value"), VALUED, id="bash, with a value"),
        pytest.param(zsh_options(), RUN_OPTIONS, id="zsh"),
        pytest.param(fish_options(), RUN_OPTIONS, id="fish"),
    ],
)
def test_options_are_those_of_the_program(documented: set[str], there: set[str]) -> None:
    assert documented == there


# Of other programs, which a page may tell you to use.
FOREIGN_OPTIONS = {"--user", "--target", "--scope", "--cgroupns", "--security-opt"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_an_option_that_is_not_there(page: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page.read_text(encoding="utf-8")))
    assert named <= RUN_OPTIONS | CTL_OPTIONS | FOREIGN_OPTIONS


def test_fish_skips_the_values_of_every_option_that_has_one() -> None:
    text = FISH.read_text(encoding="utf-8")
    lists = re.findall(r"(?:set -l valued|__fish_complete_subcommand --) ([a-z -]+)", text)
    assert [set(one.split()) for one in lists] == [VALUED, VALUED]


CHOICES = [(action.option_strings[-1], choice) for action in RUN_ACTIONS for choice in action.choices or ()]


@pytest.mark.parametrize("path", [*COMPLETIONS, *EXPLAINERS], ids=name)
@pytest.mark.parametrize(("option", "choice"), CHOICES)
def test_choices_are_documented(option: str, choice: str, path: Path) -> None:
    lines = path.read_text(encoding="utf-8").replace("\n.Cm", " .Cm").splitlines()
    assert any(option.lstrip("-") in line and re.search(rf"\b{choice}\b", line) for line in lines)


@pytest.mark.parametrize("path", [*COMPLETIONS, *EXPLAINERS], ids=name)
@pytest.mark.parametrize("waiver", WAIVERS)
def test_waivers_are_documented(waiver: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    waive = {".1": text.partition(".It Fl -waive")[2].partition(".It Fl")[0]}.get(
        path.suffix, "\n".join(line for line in text.splitlines() if "wall" in line)
    )
    assert re.search(rf"(?<![\w-]){waiver}(?![\w-])", waive)


@pytest.mark.parametrize(
    "verb", [f"{verb} {one}".strip() for verb in ctl.VERBS for one in ctl.VERBS[verb].commands or ("",)]
)
def test_verbs_are_in_the_manual(verb: str) -> None:
    assert f".It Cm {verb}\n" in read("docs/man/sandboxctl.1")


# ---- policies ----


def completed_policies(path: Path) -> set[str]:
    """The list of words that holds `ostoo`."""
    found = re.search(
        r"([a-z -]*\bostoo\b[a-z -]*)", path.read_text(encoding="utf-8").partition("complete -c")[2]
    )
    found = found or re.search(r"[('\"]([a-z -]*\bostoo\b[a-z -]*)", path.read_text(encoding="utf-8"))
    assert found
    return set(found[1].split())


def test_the_readme_lists_the_shipped_policies() -> None:
    assert first_column(section("README.md", "Policies")) == set(shipped())


def test_the_manual_lists_the_shipped_policies() -> None:
    text = read("docs/man/run-untrusted-binary.1").partition(".Sh POLICIES")[2].partition(".Sh")[0]
    assert set(re.findall(r"^\.It Cm (\w+)", text, re.MULTILINE)) == set(shipped())


@pytest.mark.parametrize("path", COMPLETIONS, ids=name)
def test_completions_offer_the_shipped_policies(path: Path) -> None:
    assert completed_policies(path) == set(shipped())


# ---- the policy language ----

LANGUAGE = "docs/policy-language.md"


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("Top level", layers.KEYS),
        ("`[calls]`", call_lists.KEYS),
        ("`[[rule]]`", rule_tables.KEYS),
        ("Emulations", tuple(EMULATION_CALLS)),
        ("`[process]`", Process._fields),
        ("`[files]`", [*Files._fields, "add-read", "add-write", "add-exec"]),
        ("`[network]`", Network._fields),
        ("`[limits]`", [field.replace("_", "-") for field in Limits._fields]),
        ("Groups", GROUPS),
    ],
)
def test_tables_hold_the_keys_of_the_loader(title: str, keys: tuple[str, ...]) -> None:
    assert first_column(section(LANGUAGE, title)) == set(keys)


@pytest.mark.parametrize("key", [*Environment._fields, *Waiver._fields, *conditions.OPERATORS])
def test_other_keys_of_the_loader_are_described(key: str) -> None:
    assert re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", read(LANGUAGE))


def refusal_ids() -> set[str]:
    """Ids that the supervisor's own rules refuse by, in their sources: constants, or names of constants."""
    found: set[object] = set()
    for path in sorted((ROOT / "sandbox" / "rules").glob("*.py")):
        module = import_module(f"sandbox.rules.{path.stem}" if path.stem != "__init__" else "sandbox.rules")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refuse" and len(node.args) > 1:
                rule = node.args[1]
                found.add(rule.value if isinstance(rule, ast.Constant) else None)
                found.add(getattr(module, rule.id, None) if isinstance(rule, ast.Name) else None)
    return {one for one in found if isinstance(one, str)}


def test_the_supervisors_own_rules_are_described() -> None:
    ids = refusal_ids()
    assert {"clone-untraced", "signals-outside"} <= ids
    assert first_column(section(LANGUAGE, "What no policy can allow")) == ids


# ---- conformance tables ----

TABLES = "docs/conformance-tables.md"


def test_every_key_of_a_table_is_described() -> None:
    assert first_column(section(TABLES, "Keys of a table")) == set(tables._TOP)
    rows = section(TABLES, "Keys of a row")
    of_a_row, of_a_step = rows.split("| key of a step |")
    assert first_column(of_a_row) == set(row_reader._ROW)
    assert first_column(of_a_step) == set(row_reader._STEP) - set(row_reader._ROW)


def test_the_table_in_the_text_is_one() -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", read(TABLES), re.MULTILINE | re.DOTALL)
    assert len(tables.parse(text, str(DOCS / "t.toml")).rows) == 64


def test_the_keys_of_a_result_are_described() -> None:
    part = Part("p", "t", (Checked("i", "s", "c", "g", ()),))
    result = json.loads(as_json([part], None))
    named = set(re.findall(r"`(\w+)`", section(TABLES, "Results for other tools")))
    assert {*result, *result["parts"][0], *result["parts"][0]["rows"][0]} <= named


# ---- the threat model ----

THREATS = "docs/threat-model.md"
ATTACKS = {path.stem for path in (ROOT / "guests" / "attacks").glob("*.c")}


def test_promises_name_attack_programs_that_there_are() -> None:
    rows = re.findall(
        r"^\| [^|]+ \| ([^|]+) \|$", section(THREATS, "Per promise: what tests it"), re.MULTILINE
    )
    named = {word for row in rows for word in re.findall(r"`([^`]*)`", row)}
    assert len(rows) > 10
    assert named <= ATTACKS


def test_every_supervised_call_says_why_a_race_cannot_matter() -> None:
    rewritten = {
        rule.call
        for policy in map(load, shipped())
        for of_call in policy.rules.values()
        for rule in of_call
        if isinstance(rule.action, RewriteSpec)
    }
    seen = {table.name(nr) for nr in rules.SUPERVISED | files.CALLS} | rewritten
    seen |= {call for calls in EMULATION_CALLS.values() for call in calls}
    title = "Per supervised call: why a race cannot matter"
    assert first_column(section(THREATS, title)) == seen


def test_the_threat_model_has_every_policy() -> None:
    assert {
        policy for policy in shipped() if f"`{policy}`" in section(THREATS, "What is promised, by policy")
    } == set(shipped())


def toml_examples() -> list[str]:
    blocks = re.findall(r"^```toml\n(.*?)^```", read(LANGUAGE), re.MULTILINE | re.DOTALL)
    return [block if "schema" in block else f"schema = 1\n{block}" for block in blocks]


@pytest.mark.parametrize(
    "text", toml_examples(), ids=lambda text: text.splitlines()[1] or text.splitlines()[2]
)
def test_examples_load(text: str) -> None:
    assert loads(text, file=str(ROOT / "policies" / "example.toml"))


# ---- the audit log ----


@pytest.mark.parametrize("event", records._EVENTS)
def test_events_and_their_fields_are_described(event: str) -> None:
    found = re.search(rf"^### [^\n]*`{event}`.*?(?=^##)", read("docs/audit.md"), re.MULTILINE | re.DOTALL)
    assert found, f"docs/audit.md has no heading with `{event}`"
    missing = [field.name for field in records._EVENTS[event][1] if f"`{field.name}`" not in found[0]]
    assert not missing


def test_no_other_event_is_described() -> None:
    events = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^### .*", read("docs/audit.md"), re.MULTILINE)))
    assert set(events) == set(records._EVENTS)


# ---- the whole ----


def test_the_readme_begins_with_what_it_is_and_two_commands() -> None:
    screen = read("README.md").split("\n")[:30]
    intro, _, rest = "\n".join(screen).partition("```sh\n")
    commands = [line.partition("#")[0].strip() for line in rest.partition("```")[0].splitlines()]
    assert commands == ["make demo", "make test"]
    assert 1 <= len(re.findall(r"\.(?:\s|$)", intro)) <= 3
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)


@pytest.mark.parametrize("status", get_args(Status))
def test_outcomes_are_in_the_readme(status: str) -> None:
    assert f"`{status}`" in section("README.md", "From Python")


def test_readme_and_manual_give_the_same_exit_statuses() -> None:
    table = section("README.md", "Exit status")
    manual = read("docs/man/run-untrusted-binary.1").partition(".Sh EXIT STATUS")[2].partition(".Sh")[0]
    statuses = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    assert sorted(re.findall(r"^\.It (\d+)$", manual, re.MULTILINE)) == sorted(statuses)
    assert {"124", "125", "126", "127", "159"} == set(statuses)


def test_the_architecture_lists_every_room_with_its_rank() -> None:
    source = ast.parse(read("tests/unit/test_import_order.py"))
    [ranks] = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RANKS"
    ]
    rows = re.findall(r"^\| (\d+) \| `(\w+)/?` \|", read("docs/ARCHITECTURE.md"), re.MULTILINE)
    assert sorted(rows) == sorted((str(rank), room) for rank, rooms in enumerate(ranks) for room in rooms)


def test_every_guest_is_named() -> None:
    named = set(re.findall(r"`([a-z-]+)`", read("docs/guests.md") + read("docs/clone-rule.md")))
    assert {path.stem for path in (ROOT / "guests").glob("*.c")} <= named


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]
    wanted += project["build-system"]["requires"]
    explained = set(re.findall(r"^\| \[([\w-]+)\]", read("docs/DEPENDENCIES.md"), re.MULTILINE))
    assert {re.split(r"[<>=]", one)[0] for one in wanted} <= explained


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("path", [*PAGES, *MANUALS, *COMPLETIONS], ids=name)
def test_nothing_names_a_place_of_one_machine(path: Path) -> None:
    assert not re.search(r"/(?:work|root|home)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("manual", MANUALS, ids=name)
def test_manuals_render_without_a_warning(manual: Path) -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-mdoc", "-ww", "-Tutf8", str(manual)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "EXIT STATUS" in re.sub(r"\x1b\[\d+m|.\x08", "", done.stdout)
