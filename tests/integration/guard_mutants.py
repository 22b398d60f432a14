"""Guards of the product, each with the edit that takes it away and the tests that must notice."""

from __future__ import annotations

from typing import NamedTuple

CHILD = "sandbox/_kernel/child.c"
CORE = "sandbox/_kernel/core.c"
LAUNCH = "sandbox/_kernel/launch.c"
WAIT = "sandbox/_kernel/wait.c"
TRACEE = "sandbox/_kernel/tracee.c"
PUMP = "sandbox/_kernel/pump.c"
LANDLOCK = "sandbox/_kernel/landlock.c"
RUNNER = "sandbox/runner.py"
LOOP = "sandbox/supervisor/loop.py"


class Guard(NamedTuple):
    """In `file`, `old` (which is there once) becomes `new`. At least one of `tests` (below tests/) must fail
    then. A `quick` one is tried in every run of the tests."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    quick: bool = False


def launch(*names: str) -> tuple[str, ...]:
    return tuple(f"integration/test_guards_launch.py::test_{name}" for name in names)


LAUNCHING = [
    Guard(
        "root without a waiver",
        "sandbox/launch/identity.py",
        "if user[0] == 0 and not keep_root:",
        "if False:",
        launch("root_needs_a_waiver_under_any_name"),
        quick=True,
    ),
    Guard(
        "root without a waiver, but by its number",
        "sandbox/launch/identity.py",
        "if user[0] == 0 and not keep_root:",
        'if name == "root" and not keep_root:',
        launch("root_needs_a_waiver_under_any_name"),
    ),
    Guard(
        "root unless another is named",
        "sandbox/launch/identity.py",
        "return None if keep_root else",
        "return None if True else",
        launch("a_guest_of_roots_has_one_group_and_one_user"),
    ),
    Guard(
        "a name from an ordinary user",
        "sandbox/launch/identity.py",
        "if os.geteuid() != 0:",
        "if False:",
        launch("an_ordinary_user_cannot_name_another"),
    ),
    Guard(
        "supplementary groups",
        CHILD,
        "if (syscall(SYS_setgroups, 0, NULL) < 0 || ",
        "if (",
        launch("a_guest_of_roots_has_one_group_and_one_user"),
        quick=True,
    ),
    Guard(
        "the group",
        CHILD,
        "SYS_setresgid, spec->gid, spec->gid, spec->gid)",
        "SYS_setresgid, -1, spec->gid, spec->gid)",
        launch("a_guest_of_roots_has_one_group_and_one_user"),
    ),
    Guard(
        "the real user",
        CHILD,
        "SYS_setresuid, spec->uid, spec->uid, spec->uid)",
        "SYS_setresuid, -1, spec->uid, spec->uid)",
        launch("a_guest_of_roots_has_one_group_and_one_user"),
    ),
    Guard(
        "the bounding set",
        CHILD,
        "if (child_bounding_set() < 0)",
        "if (0)",
        launch("a_guest_has_no_capability_in_any_set"),
    ),
    Guard(
        "the other sets",
        CHILD,
        "return (int)syscall(SYS_capset, &header, none);",
        "(void)header, (void)none; return 0;",
        launch("a_guest_has_no_capability_in_any_set"),
    ),
    Guard(
        "no new privileges",
        CHILD,
        "PR_SET_NO_NEW_PRIVS, 1,",
        "PR_GET_NO_NEW_PRIVS, 0,",
        launch("no_program_gives_a_guest_new_privileges"),
    ),
    Guard(
        "descriptor 3",
        CHILD,
        "SYS_close_range, 3u,",
        "SYS_close_range, 4u,",
        launch("a_guest_has_no_descriptor_from_3_up"),
        quick=True,
    ),
    Guard(
        "descriptors without close_range",
        CHILD,
        "fcntl((int)fd, F_SETFD, FD_CLOEXEC);",
        "fcntl((int)fd, F_GETFD);",
        launch("a_guest_has_none_where_there_is_no_close_range"),
    ),
    Guard(
        "descriptor 3 without close_range",
        CHILD,
        "for (rlim_t fd = 3; fd < limit",
        "for (rlim_t fd = 4; fd < limit",
        launch("a_guest_has_none_where_there_is_no_close_range"),
    ),
    Guard(
        "what the caller closed",
        CHILD,
        "if (closed & (1u << fd))",
        "if (0)",
        launch("what_the_caller_closed_is_closed_in_the_guest"),
    ),
    Guard(
        "the guest's input",
        RUNNER,
        "    os.dup2(null, 0)\n",
        "",
        launch("standard_input_is_the_guests_alone"),
    ),
    Guard(
        "the guest's output",
        RUNNER,
        "    os.dup2(null, 1)\n",
        "",
        launch("a_pipe_from_a_guest_ends_when_the_guest_closes_it"),
        quick=True,
    ),
    Guard(
        "the first image",
        LOOP,
        "if (image.device, image.inode) != self._identity:",
        "if False:",
        launch("another_file_than_the_one_that_was_checked_never_runs"),
        quick=True,
    ),
    Guard(
        "a foreign image",
        LOOP,
        "elif not image.native:",
        "elif False:",
        launch("a_process_that_became_foreign_is_killed_before_it_runs"),
        quick=True,
    ),
    Guard(
        "the end of a process with a foreign image",
        LOOP,
        """"exec-foreign")
            self.shutdown.send(task.tgid, SIGKILL)
            return Rest()""",
        """"exec-foreign")
            return Resume(stopped.spend())""",
        launch("a_process_that_became_foreign_is_killed_before_it_runs"),
    ),
    Guard(
        "the supervisor's memory",
        CORE,
        "prctl(PR_SET_DUMPABLE, 0,",
        "prctl(PR_SET_DUMPABLE, 1,",
        launch("the_supervisors_memory_is_closed_to_a_guest_of_its_user"),
        quick=True,
    ),
    Guard(
        "the supervisor's memory, by its caller",
        RUNNER,
        "            calls.protect()\n",
        "",
        launch("the_supervisors_memory_is_closed_to_a_guest_of_its_user"),
    ),
    Guard(
        "scopes",
        "sandbox/launch/confine.py",
        "calls.landlock_ruleset(handled, ports, known.scoped)",
        "calls.landlock_ruleset(handled, ports, 0)",
        launch("abstract_sockets_of_others_are_out_of_reach"),
        quick=True,
    ),
    Guard(
        "the scopes' part of a ruleset",
        LANDLOCK,
        "abi < 6 ? 16 : 24",
        "abi < 6 ? 16 : 16",
        launch("abstract_sockets_of_others_are_out_of_reach"),
    ),
]

GUARDS: list[Guard] = [*LAUNCHING]
