"""The cgroup of a run, on a tree of files that follows the kernel's rules for cgroup v2 (cgroup-v2.rst)."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from sandbox.launch import cgroup
from sandbox.launch.cgroup import FULL, LEAF, WITHOUT_SWAP, Kernel, Place, located, open_account
from sandbox.launch.locks import PREFIX

ME = str(os.getpid())
LIMIT = 64 << 20
MEMORY = ("memory.max", "memory.swap.max", "memory.oom.group", "memory.events", "memory.peak")


class Tree(Kernel):
    """Cgroups in a directory. `missing` are control files that this kernel does not have, `refused` maps
    (operation, file or directory name) to an errno."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: set[str] = set()
        self.refused: dict[tuple[str, str], int] = {}
        self.fill(root, memory=True)

    def fill(self, directory: Path, *, memory: bool) -> None:
        (directory / "cgroup.controllers").write_text("cpu memory\n" if memory else "cpu\n")
        (directory / "cgroup.subtree_control").touch()
        (directory / "cgroup.procs").touch()
        for name in set(MEMORY if memory else ()) - self.missing:
            (directory / name).touch()

    def check(self, operation: str, name: str) -> None:
        for key, number in self.refused.items():
            if key[0] == operation and name.startswith(key[1]):
                raise OSError(number, os.strerror(number))

    def make(self, directory: str) -> None:
        path = Path(directory)
        self.check("make", path.name)
        super().make(directory)
        self.fill(path, memory="memory" in (path.parent / "cgroup.subtree_control").read_text())

    def remove(self, directory: str) -> None:
        path = Path(directory)
        self.check("remove", path.name)
        if (path / "cgroup.procs").read_text() or any(one.is_dir() for one in path.iterdir()):
            raise OSError(errno.EBUSY, "busy")
        shutil.rmtree(path)

    def write(self, directory: str, name: str, text: str) -> None:
        path = Path(directory)
        self.check("write", name)
        if name == "cgroup.procs":
            self.enter(path, ME if text == "0" else text)
        elif name == "cgroup.subtree_control":
            if text == "+memory" and path != self.root and (path / "cgroup.procs").read_text():
                raise OSError(errno.EBUSY, "no internal processes")
            (path / name).write_text("memory\n" if text == "+memory" else "")
        else:
            super().write(directory, name, text)

    def enter(self, path: Path, pid: str) -> None:
        if path != self.root and (path / "cgroup.subtree_control").read_text():
            raise OSError(errno.EBUSY, "no internal processes")
        for procs in self.root.rglob("cgroup.procs"):
            procs.write_text("".join(f"{one}\n" for one in procs.read_text().split() if one != pid))
        with (path / "cgroup.procs").open("a") as file:
            file.write(f"{pid}\n")

    def group(self, *names: str, memory: bool = True) -> Path:
        """A cgroup; those around it give it the memory controller."""
        path = self.root
        for name in names:
            (path / "cgroup.subtree_control").write_text("memory\n" if memory else "")
            path = path / name
            if not path.exists():
                self.make(str(path))
        return path

    def place(self, own: Path) -> Place:
        return Place(str(own), str(self.root))

    def names(self, path: Path) -> list[str]:
        return sorted(one.name for one in path.iterdir() if one.is_dir())


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def scope(tree: Tree) -> Path:
    """A delegated cgroup that we are alone in, in a slice."""
    own = tree.group("app.slice", "run.scope")
    tree.enter(own, ME)
    return own


def only(tree: Tree, base: Path) -> Path:
    """The one cgroup of a run in `base`."""
    [name] = [one for one in tree.names(base) if one.startswith(PREFIX) and one != LEAF]
    assert name.startswith(f"{PREFIX}{ME}-")
    return base / name


def test_no_limit_makes_nothing(tree: Tree, scope: Path) -> None:
    account = open_account(None, tree.place(scope), tree)
    assert (account.procs, account.is_over(), tree.names(scope)) == (-1, False, [])
    account.entered(1)
    account.close()


def test_one_that_we_are_alone_in_is_divided(tree: Tree, scope: Path) -> None:
    account = open_account(LIMIT, tree.place(scope), tree)
    assert account.enforcement == FULL
    made = only(tree, scope)
    assert (scope / LEAF / "cgroup.procs").read_text() == f"{ME}\n"
    assert (made / "memory.max").read_text() == str(LIMIT)
    assert (made / "memory.swap.max").read_text() == "0"
    assert (made / "memory.oom.group").read_text() == "1"
    assert os.path.samestat(os.fstat(account.procs), (made / "cgroup.procs").stat())
    assert not os.get_inheritable(account.procs)

    account.close()
    assert tree.names(scope) == []
    assert (scope / "cgroup.procs").read_text() == f"{ME}\n"
    assert (scope / "cgroup.subtree_control").read_text() == ""
    account.close()  # once is enough


def test_one_around_us_that_is_ours_is_used(tree: Tree) -> None:
    own = tree.group("ours", "leaf")
    tree.enter(own, ME)
    tree.enter(own, "77777")
    account = open_account(LIMIT, tree.place(own), tree)
    assert account.enforcement == FULL
    only(tree, own.parent)
    account.close()
    assert tree.names(own.parent) == ["leaf"]
    assert (own / "cgroup.procs").read_text() == f"{ME}\n77777\n"
    assert (own.parent / "cgroup.subtree_control").read_text() == "memory\n"


def test_the_root_gives_what_it_gives_already(tree: Tree) -> None:
    tree.enter(tree.root, ME)
    tree.enter(tree.root, "77777")
    (tree.root / "cgroup.subtree_control").write_text("memory\n")
    account = open_account(LIMIT, tree.place(tree.root), tree)
    assert account.enforcement == FULL
    only(tree, tree.root)
    account.close()
    assert tree.names(tree.root) == []
    assert (tree.root / "cgroup.subtree_control").read_text() == "memory\n"


def test_a_root_that_gives_nothing_is_left_alone(tree: Tree) -> None:
    tree.enter(tree.root, ME)
    tree.enter(tree.root, "77777")
    account = open_account(LIMIT, tree.place(tree.root), tree)
    assert account.enforcement.endswith(cgroup.NOT_ALONE)
    assert (tree.root / "cgroup.subtree_control").read_text() == ""
    assert tree.names(tree.root) == []


def test_others_are_not_moved(tree: Tree, scope: Path) -> None:
    tree.enter(scope, "77777")
    account = open_account(LIMIT, tree.place(scope), tree)
    assert account.enforcement == cgroup.partial(cgroup.NOT_ALONE)
    assert account.procs == -1
    assert (scope / "cgroup.procs").read_text() == f"{ME}\n77777\n"
    assert tree.names(scope) == []
    account.close()


REFUSALS = [
    ("make", PREFIX, errno.EACCES, "no cgroup is delegated (EACCES)"),
    ("make", PREFIX, errno.EROFS, "no cgroup is delegated (EROFS)"),
    ("make", PREFIX, errno.ENOSPC, "no cgroup can be made (ENOSPC)"),
    ("make", PREFIX + ME, errno.EAGAIN, "no cgroup can be made (EAGAIN)"),
    ("write", "cgroup.procs", errno.EACCES, "no cgroup is delegated (EACCES)"),
    ("write", "cgroup.subtree_control", errno.EBUSY, "no cgroup can be made (EBUSY)"),
    ("write", "memory.max", errno.EINVAL, "no cgroup can be made (EINVAL)"),
]


@pytest.mark.parametrize(
    ("operation", "name", "number", "reason"),
    REFUSALS,
    ids=[f"{operation}-{errno.errorcode[number]}" for operation, _, number, _ in REFUSALS],
)
def test_whatever_is_refused_all_is_put_back(
    tree: Tree, scope: Path, operation: str, name: str, number: int, reason: str
) -> None:
    tree.refused[operation, name] = number
    account = open_account(LIMIT, tree.place(scope), tree)
    assert account.enforcement == f"partial: looked at 20 times a second, {reason}"
    assert (account.procs, account.is_over()) == (-1, False)
    assert tree.names(scope) == []
    assert (scope / "cgroup.procs").read_text() == f"{ME}\n"
    assert (scope / "cgroup.subtree_control").read_text() == ""
    account.close()


def test_a_root_that_refuses_is_left_alone(tree: Tree) -> None:
    tree.enter(tree.root, ME)
    (tree.root / "cgroup.subtree_control").write_text("memory\n")
    tree.refused["make", PREFIX] = errno.EROFS
    assert "EROFS" in open_account(LIMIT, tree.place(tree.root), tree).enforcement
    assert (tree.root / "cgroup.subtree_control").read_text() == "memory\n"
    assert (tree.root / "cgroup.procs").read_text() == f"{ME}\n"


@pytest.mark.parametrize(
    ("place", "reason"), [(Place(), cgroup.NOT_MOUNTED), (Place("/nowhere", "/"), cgroup.NO_CONTROLLER)]
)
def test_no_cgroup_at_all(place: Place, reason: str) -> None:
    assert open_account(LIMIT, place).enforcement == cgroup.partial(reason)


def test_no_memory_controller(tree: Tree) -> None:
    own = tree.group("v1", memory=False)
    assert open_account(LIMIT, tree.place(own), tree).enforcement == cgroup.partial(cgroup.NO_CONTROLLER)
    assert tree.names(own) == []


def test_swap_that_is_not_counted_is_told(tree: Tree, scope: Path) -> None:
    tree.missing = {"memory.swap.max"}
    account = open_account(LIMIT, tree.place(scope), tree)
    assert account.enforcement == (WITHOUT_SWAP if os.path.exists("/proc/swaps") else FULL)
    assert account.procs >= 0
    account.close()


def test_an_old_kernel_has_no_group_kill_and_no_peak(tree: Tree, scope: Path) -> None:
    tree.missing = {"memory.oom.group", "memory.peak"}
    account = open_account(LIMIT, tree.place(scope), tree)
    assert account.enforcement == FULL
    account.close()
    assert account.peak is None


@pytest.mark.parametrize(
    ("events", "over"),
    [
        ("", False),
        ("low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\noom_group_kill 0\n", False),
        ("low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n", True),
        ("oom 2\noom_kill 1\n", True),
        ("oom 0\noom_kill 1\n", False),  # the machine had no memory left, not the run
        ("oom 1\noom_kill 0\n", False),  # somebody was about to go anyway
        ("nonsense\n", False),
    ],
)
def test_over_is_what_the_kernel_counts(tree: Tree, scope: Path, events: str, over: bool) -> None:
    account = open_account(LIMIT, tree.place(scope), tree)
    (only(tree, scope) / "memory.events").write_text(events)
    assert account.is_over() == over
    account.close()
    assert not account.is_over()


@pytest.mark.parametrize(("text", "peak"), [("12345\n", 12345), ("", None), ("max\n", None)])
def test_the_peak_is_read_at_the_end(tree: Tree, scope: Path, text: str, peak: int | None) -> None:
    account = open_account(LIMIT, tree.place(scope), tree)
    (only(tree, scope) / "memory.peak").write_text(text)
    assert account.peak is None
    account.close()
    assert account.peak == peak


def test_a_guest_that_did_not_enter_is_told(tree: Tree, scope: Path) -> None:
    account = open_account(LIMIT, tree.place(scope), tree)
    tree.enter(only(tree, scope), "77777")
    account.entered(77777)
    assert account.enforcement == FULL
    account.entered(7777)
    assert account.enforcement == cgroup.partial("the guest could not enter its cgroup")
    tree.enter(tree.group("elsewhere"), "77777")
    account.close()


def test_what_nobody_holds_is_swept(tree: Tree) -> None:
    own = tree.group("ours", "leaf")
    base = own.parent
    tree.group("ours", f"{PREFIX}1-dead")
    tree.enter(tree.group("ours", f"{PREFIX}2-full"), "77777")
    tree.group("ours", "other")
    mine = open_account(LIMIT, tree.place(own), tree)
    [held] = [name for name in tree.names(base) if f"-{ME}-" in name]
    other = open_account(LIMIT, tree.place(own), tree)
    kept = [name for name in tree.names(base) if f"-{ME}-" not in name]
    assert kept == ["leaf", f"{PREFIX}2-full", "other"]
    assert held in tree.names(base)  # it is locked
    assert mine.enforcement == other.enforcement == FULL
    mine.close()
    other.close()
    assert tree.names(base) == kept


def test_a_cgroup_that_cannot_be_removed_keeps_its_limit(
    tree: Tree, scope: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "_PATIENCE", 2)
    account = open_account(LIMIT, tree.place(scope), tree)
    tree.enter(only(tree, scope), "77777")
    account.close()
    assert (scope / "cgroup.subtree_control").read_text() == "memory\n"
    assert (only(tree, scope) / "memory.max").read_text() == str(LIMIT)


# ---- where we are ----


def mount(point: str, root: str = "/", kind: str = "cgroup2") -> str:
    return f"35 25 0:30 {root} {point} rw,nosuid shared:9 - {kind} {kind} rw\n"


@pytest.mark.parametrize(
    ("mountinfo", "membership", "own", "top"),
    [
        (mount("/sys/fs/cgroup"), "0::/user.slice/a", "/sys/fs/cgroup/user.slice/a", "/sys/fs/cgroup"),
        (mount("/sys/fs/cgroup"), "0::/", "/sys/fs/cgroup", "/sys/fs/cgroup"),
        (mount("/old", kind="cgroup") + mount("/new"), "4:memory:/x\n0::/b", "/new/b", "/new"),
        (mount("/c", root="/box"), "0::/box/in", "/c/in", "/c"),
        (mount("/c", root="/box"), "0::/box", "/c", "/c"),
        (mount("/c", root="/box"), "0::/boxes", "", ""),
        (mount("/a\\040b"), "0::/c", "/a b/c", "/a b"),
        (mount("/c"), "0::/../outside", "", ""),
        (mount("/c"), "4:memory:/x", "", ""),
        ("", "0::/", "", ""),
        ("nonsense\n - cgroup", "0::/", "", ""),
    ],
)
def test_our_own_directory(mountinfo: str, membership: str, own: str, top: str) -> None:
    assert located(mountinfo, membership) == Place(own, top)
