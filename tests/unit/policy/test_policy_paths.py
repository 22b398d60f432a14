"""`[files]`: the lists of paths a file sets or adds to, through `extends`, and what their names stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.launch.confine import expand, expanded
from sandbox.policy.load import load, loads
from sandbox.policy.model import Files

NAMES = {"cwd": "/srv/job", "program": "/opt/tool/bin/tool", "scratch": "/tmp/sandbox-0"}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("", None),
        ("[limits]\nwall = 1", None),
        # An empty section is no missing one: everything is confined.
        ("[files]", Files()),
        ("[files]\nread = []", Files()),
        ("[files]\nscratch = false", Files()),
        ("[files]\nscratch = true", Files(scratch=True)),
        ('[files]\nread = ["/usr", "/lib"]', Files(read=("/usr", "/lib"))),
        ('[files]\nwrite = ["${scratch}"]', Files(write=("${scratch}",))),
        ('[files]\nexec = ["${program}"]', Files(exec=("${program}",))),
        ('files.read = ["/"]\nfiles.exec = ["/"]', Files(read=("/",), exec=("/",))),
        ('files = { write = ["/dev/null"], scratch = true }', Files(write=("/dev/null",), scratch=True)),
        # With nothing to add to, the list is what is added, in whatever order the file says it.
        ('[files]\nadd-read = ["/a"]', Files(read=("/a",))),
        ('[files]\nadd-write = ["/a"]\nadd-exec = ["/b"]', Files(write=("/a",), exec=("/b",))),
        ('[files]\nread = ["/a"]\nadd-read = ["/b"]', Files(read=("/a", "/b"))),
        ('[files]\nadd-read = ["/b"]\nread = ["/a"]', Files(read=("/a", "/b"))),
    ],
)
def test_a_file_of_its_own(text: str, files: Files | None) -> None:
    assert loads(f"schema = 1\n{text}").files == files


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/usr",
        "/usr/",
        "/a b",
        "/größe",
        "/a$b",
        "/a${cwd}",
        "/${nosuch}",
        "/" + "x" * 5000,
        "${cwd}",
        "${cwd}/",
        "${cwd}/out",
        "${program}",
        "${scratch}/a/b",
        "${scratch}/${cwd}",
    ],
)
@pytest.mark.parametrize("key", ["read", "write", "exec"])
def test_paths_are_kept_as_they_are_written(key: str, path: str) -> None:
    named = {"read": Files(read=(path,)), "write": Files(write=(path,)), "exec": Files(exec=(path,))}
    for word in (key, f"add-{key}"):
        assert loads(f"schema = 1\n[files]\n{word} = ['{path}']").files == named[key]


BASE = """
[files]
read = ["/usr", "${cwd}"]
write = ["${scratch}"]
exec = ["/usr"]
scratch = true
"""
FULL = Files(("/usr", "${cwd}"), ("${scratch}",), ("/usr",), True)


@pytest.mark.parametrize(
    ("child", "files"),
    [
        ("", FULL),
        ("[files]", FULL),
        ('[files]\nread = ["/lib"]', FULL._replace(read=("/lib",))),
        ("[files]\nread = []\nwrite = []\nexec = []\nscratch = false", Files()),
        ("[files]\nscratch = false", FULL._replace(scratch=False)),
        ('[files]\nadd-read = ["/lib"]', FULL._replace(read=("/usr", "${cwd}", "/lib"))),
        ('[files]\nadd-write = ["${cwd}"]', FULL._replace(write=("${scratch}", "${cwd}"))),
        ('[files]\nadd-exec = ["${program}"]', FULL._replace(exec=("/usr", "${program}"))),
        ("[files]\nadd-read = []", FULL),
        ('[files]\nexec = ["/bin"]\nadd-exec = ["/lib"]', FULL._replace(exec=("/bin", "/lib"))),
    ],
)
def test_a_list_is_replaced_or_added_to(tmp_path: Path, child: str, files: Files) -> None:
    (tmp_path / "base.toml").write_text("schema = 1\n" + BASE)
    (tmp_path / "child.toml").write_text('schema = 1\nextends = "base.toml"\n' + child)
    assert load(str(tmp_path / "child.toml")).files == files


@pytest.mark.parametrize(
    ("layers", "files"),
    [
        (("", "", ""), None),
        (('add-read = ["/c"]', 'add-read = ["/b"]', 'read = ["/a"]'), Files(read=("/a", "/b", "/c"))),
        (('add-read = ["/c"]', 'read = ["/b"]', 'read = ["/a"]'), Files(read=("/b", "/c"))),
        (('read = ["/c"]', 'add-read = ["/b"]', 'read = ["/a"]'), Files(read=("/c",))),
        (("", 'add-exec = ["/b"]', ""), Files(exec=("/b",))),
        (("", "scratch = false", "scratch = true"), Files()),
        (("scratch = true", "", "scratch = false"), Files(scratch=True)),
    ],
)
def test_three_levels(tmp_path: Path, layers: tuple[str, ...], files: Files | None) -> None:
    for nth, body in enumerate(layers):
        lines = ["schema = 1"]
        if nth + 1 < len(layers):
            lines.append(f'extends = "p{nth + 1}.toml"')
        if body:
            lines += ["[files]", body]
        (tmp_path / f"p{nth}.toml").write_text("\n".join(lines))
    assert load(str(tmp_path / "p0.toml")).files == files


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("/usr", ["/usr"]),
        ("${cwd}", ["/srv/job"]),
        ("${cwd}/out", ["/srv/job/out"]),
        ("${program}", ["/opt/tool/bin/tool"]),
        ("${scratch}/a", ["/tmp/sandbox-0/a"]),
        ("/a${cwd}", ["/a${cwd}"]),
        ("${scratch}/${cwd}", ["/tmp/sandbox-0/${cwd}"]),
    ],
)
def test_names_stand_for_the_runs_places(path: str, places: list[str]) -> None:
    assert expand([path], NAMES) == places


def test_a_path_whose_name_has_no_value_is_left_out() -> None:
    """Such as `${scratch}` in a run without one: left out, never taken for the root."""
    assert expand(["${scratch}", "${scratch}/a", "/usr", "${cwd}"], {"cwd": "/w"}) == ["/usr", "/w"]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("${scratch}", {"V": "/tmp/sandbox-0"}),
        ("${cwd}/bin", {"V": "/srv/job/bin"}),
        ("${home}", {"V": "${home}"}),
        ("a ${cwd}", {"V": "a ${cwd}"}),
        ("", {"V": ""}),
    ],
)
def test_names_in_the_environment(value: str, result: dict[str, str]) -> None:
    assert expanded({"V": value}, NAMES) == result


def test_a_variable_whose_name_has_no_value_is_left_out() -> None:
    assert expanded({"HOME": "${scratch}", "A": "1"}, {"cwd": "/w"}) == {"A": "1"}
