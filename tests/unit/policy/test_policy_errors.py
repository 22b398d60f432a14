"""Wrong policies: each is one error with the file, the line, what was found and what is allowed there."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sandbox.errors import PolicyError
from sandbox.policy.load import loads

HEAD = "schema = 1\n"


def rule_for(call: str) -> str:
    """A policy that ends within a rule for this call, which begins in line 2."""
    return f'{HEAD}[[rule]]\nid = "r"\ncall = "{call}"\n'


RULE = rule_for("socket")


class Wrong(NamedTuple):
    """A text, the line its error names, and parts of the message and of what is allowed."""

    text: str
    line: int
    says: str
    allowed: str


TOML = [
    Wrong("schema = \n", 1, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\n[calls\n", 2, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\nname = 'x\n", 2, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\n\nallow = [1,\n", 3, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\nschema = 1\n", 2, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\n[calls]\n[calls]\n", 3, "not valid TOML", "TOML 1.0"),
    Wrong("\x00\x01\x02\x7fELF\x02\n", 1, "not valid TOML", "TOML 1.0"),
    Wrong("{}", 1, "not valid TOML", "TOML 1.0"),
    Wrong("a: 1\nb: 2\n", 1, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\nx = 1" + "0" * 5000, 2, "a number with too many digits", "at most 64 bits"),
    Wrong(f"# {'1' * 5000}\nx = ['{'2' * 5000}',\n-1_{'0' * 5000}]", 3, "too many digits", "64 bits"),
    Wrong("schema = 1\nx = 0x1" + "0" * 5000, 2, "unknown section or key 'x'", "schema"),
    Wrong(f"x = \ny = {'1' * 5000}", 1, "not valid TOML", "TOML 1.0"),
    Wrong("\ufeffschema = 1\n", 1, "begins with a byte order mark", "UTF-8 without"),
    Wrong("schema = 1\nx = 2021-13-45\n", 2, "not valid TOML", "TOML 1.0"),
    Wrong("schema = 1\nx = " + "[" * 20000, 2, "nested too deeply", "24 levels"),
    Wrong("schema = 1\nx = " + "{a=" * 5000, 2, "nested too deeply", "24 levels"),
    Wrong("schema = 1\n" + "a." * 200000 + "b = 1", 2, "nested too deeply", "24 levels"),
    Wrong("schema = 1\n[" + '"".' * 200000 + "b]", 2, "nested too deeply", "24 levels"),
    Wrong("schema = 1\n# " + "x" * (1 << 20), 1, "too large", "at most 1048576 bytes"),
    Wrong("schema = 1\n# \ud800", 2, "not UTF-8", "UTF-8"),
]
TOP = [
    Wrong("", 1, "schema is missing", "schema = …"),
    Wrong('name = "x"\n', 1, "schema is missing", "schema = …"),
    Wrong("schema = 2\n", 1, "schema can't be 2", "1"),
    Wrong("schema = true\n", 1, "schema can't be true", "1"),
    Wrong('schema = "1"\n', 1, "schema can't be '1'", "1"),
    Wrong(HEAD + 'unlistet = "EPERM"', 2, "unknown section or key 'unlistet'", "did you mean unlisted?"),
    Wrong(HEAD + '[file]\nread = ["/"]', 2, "unknown section or key 'file'", "did you mean files?"),
    Wrong(HEAD + "\n[syscalls]\nallow = []", 3, "unknown section or key 'syscalls'", "process"),
    Wrong(HEAD + "[rules]\n", 2, "unknown section or key 'rules'", "did you mean rule?"),
    # An escaped key is not looked for: the error names the line its table begins in.
    Wrong(HEAD + '"\\u001b[31m" = 1', 1, "unknown section or key '\\x1b[31m'", "schema"),
    Wrong(HEAD + 'name = "two words"', 2, "name can't be 'two words'", "letters, digits"),
    Wrong(HEAD + "name = 7", 2, "name can't be 7", "letters, digits"),
    Wrong(HEAD + 'description = "two\\nlines"', 2, "description can't be 'two\\nlines'", "one line"),
    Wrong(HEAD + f'description = "{"x" * 500}"', 2, "description can't be 'xxx", "at most 400"),
    Wrong(HEAD + 'unlisted = "ENOSUS"', 2, "'ENOSUS' is no errno", "did you mean ENOSYS?"),
    Wrong(HEAD + 'unlisted = "allow"', 2, "'allow' is no errno", '"kill"'),
    Wrong(HEAD + "unlisted = 38", 2, "38 is no errno", '"ENOSYS", or "kill"'),
    Wrong(HEAD + 'unlisted = "KILL"', 2, "'KILL' is no errno", "did you mean kill?"),
    Wrong(HEAD + 'unlisted = "ERESTARTSYS"', 2, "'ERESTARTSYS' is no errno", '"kill"'),
    Wrong(HEAD + "calls = 1", 2, "calls can't be 1", "[calls]"),
    Wrong(HEAD + "[rule]\n", 2, "rule can't be a table", "[[rule]]"),
    Wrong(HEAD + "rule = [1]\n", 2, "rule can't be a list", "[[rule]]"),
]
CALLS = [
    Wrong(HEAD + '[calls]\nalow = ["read"]', 3, "unknown key in [calls]: 'alow'", "did you mean allow?"),
    Wrong(HEAD + '[calls]\nallow = "read"', 3, "allow can't be 'read'", "a list in [ ]"),
    Wrong(HEAD + '[calls]\nallow = ["read", "raed"]', 3, "unknown system call 'raed'", "did you mean read?"),
    Wrong(HEAD + '[calls]\nallow = [\n  "read",\n  "opnat",\n]', 5, "unknown system call 'opnat'", "openat"),
    Wrong(HEAD + '[calls]\nallow = [\n"read",\n3]', 5, "3 is no text", "names of x86-64"),
    Wrong(HEAD + '[calls]\nallow = ["@memroy"]', 3, "unknown group '@memroy'", "did you mean @memory?"),
    Wrong(HEAD + '[calls]\nallow = ["socketcall"]', 3, "unknown system call 'socketcall'", "names of x86-64"),
    Wrong(HEAD + '[calls]\nallow = [""]', 3, "unknown system call ''", "names of x86-64"),
    Wrong(HEAD + '[calls.refuse]\nENOTYY = ["ioctl"]', 3, "'ENOTYY' is no errno", "did you mean ENOTTY?"),
    Wrong(HEAD + '[calls]\nrefuse = ["ioctl"]', 3, "refuse can't be a list", "[refuse]"),
    Wrong(HEAD + '[calls.return]\nzero = ["futex"]', 3, "return can't be 'zero'", "a number from 0"),
    Wrong(HEAD + '[calls.return]\n-1 = ["futex"]', 3, "return can't be '-1'", "a number from 0"),
    Wrong(HEAD + '[calls.return]\n0x8000000000000000 = ["futex"]', 3, "return can't be", "a number from 0"),
    Wrong(HEAD + f'[calls.return]\n{"9" * 5000} = ["futex"]', 3, "return can't be", "a number from 0"),
    Wrong(
        HEAD + '[calls]\nallow = ["read"]\nkill = ["read"]',
        4,
        "read has two verdicts, allow and kill",
        "one verdict",
    ),
    Wrong(
        HEAD + '[calls.refuse]\nEPERM = ["@chown"]\nEACCES = ["@chown"]',
        4,
        "two verdicts, refuse EPERM and refuse EACCES",
        "one verdict",
    ),
    Wrong(HEAD + "[calls]\nreplace = true", 3, "replace in a policy that extends none", "beside extends"),
]
RULES = [
    Wrong(HEAD + '[[rule]]\ncall = "read"', 2, "id is missing", "id = …"),
    Wrong(HEAD + '[[rule]]\nid = "a"', 2, "call is missing", "call = …"),
    Wrong(HEAD + '[[rule]]\nid = "a b"\ncall = "read"', 3, "id can't be 'a b'", "letters, digits"),
    Wrong(HEAD + '[[rule]]\nid = "unlisted"\ncall = "read"', 3, "has a meaning of its own", "another id"),
    Wrong(HEAD + '[[rule]]\nid = "calls.allow"\ncall = "read"', 3, "has a meaning of its own", "another id"),
    Wrong(
        HEAD + '[[rule]]\nid = "a"\ncall = "clown"', 4, "unknown system call 'clown'", "did you mean clone?"
    ),
    Wrong(
        HEAD + '[[rule]]\nid = "a"\ncall = "@memory"', 4, "can't be for the group '@memory'", "system call"
    ),
    Wrong(HEAD + '[[rule]]\nid = "a"\ncall = []', 4, "a rule for no call", "a list of names"),
    Wrong(HEAD + '[[rule]]\nid = "a"\ncall = ["dup",\n"dup"]', 5, "'dup' is named twice", "a list of names"),
    Wrong(HEAD + '[[rule]]\nid = "a"\ncall = 3', 4, "call can't be 3", "a list of names"),
    Wrong(RULE + 'verdct = "EPERM"', 5, "unknown key in [[rule]]: 'verdct'", "did you mean verdict?"),
    Wrong(RULE, 2, "a rule with no action", "one of verdict, return, emulate, rewrite"),
    Wrong(RULE + 'verdict = "EPERM"\nreturn = 0', 6, "both verdict and return", "one of verdict"),
    Wrong(RULE + 'verdict = "deny"', 5, "'deny' is no errno or verdict", '"allow", "watch" or "kill"'),
    Wrong(RULE + 'verdict = "alow"', 5, "'alow' is no errno or verdict", "did you mean allow?"),
    Wrong(RULE + "verdict = ['EPERM']", 5, "a list is no errno or verdict", "an errno such as"),
    Wrong(RULE + "return = -1", 5, "return can't be -1", "from 0 to 9223372036854775807"),
    Wrong(RULE + 'return = "0"', 5, "return can't be '0'", "a whole number"),
    Wrong(RULE + "return = true", 5, "return can't be true", "a whole number"),
    Wrong(RULE + 'verdict = "allow"\nquiet = true', 6, "quiet on a rule that answers nothing", "an errno"),
    Wrong(RULE + "return = 0\nquiet = 1", 6, "quiet can't be 1", "true or false"),
    Wrong(RULE + 'verdict = "EPERM"\nhint = "\\u001b[2J"', 6, "hint can't be '\\x1b[2J'", "one line"),
    Wrong(RULE + 'emulate = "zero-clok"', 5, "unknown emulation 'zero-clok'", "did you mean zero-clock?"),
    Wrong(RULE + 'emulate = "zero-clock"', 5, "is for clock_gettime, not for socket", "another action"),
    Wrong(RULE + "emulate = []", 5, "unknown emulation a list", "zero-clock"),
    Wrong(RULE + "rewrite = {}", 5, "changes nothing", "argument = value"),
    *(
        Wrong(
            HEAD + f'[[rule]]\nid = "a"\ncall = "{name}"\nrewrite = {{ {arg} = 1 }}',
            5,
            "cannot be rewritten",
            "verdict",
        )
        for name, arg in (("clone", "flags"), ("execve", "path"), ("kill", "pid"), ("vfork", "x"))
    ),
    Wrong(RULE + "rewrite = 3", 5, "rewrite can't be 3", "[rewrite]"),
    Wrong(RULE + "rewrite = { flags = 3 }", 5, "socket has no argument 'flags'", "domain, type, protocol"),
    Wrong(RULE + "rewrite = { type = { keep = 3 } }", 5, "unknown key 'keep'", "mask"),
    Wrong(RULE + "rewrite = { type = {} }", 5, "mask is missing", "mask = …"),
    Wrong(RULE + "rewrite = { type = { mask = 0x1_0000_0000 } }", 5, "it has 32 bits", "a number in"),
    Wrong(
        RULE + 'verdict = "EPERM"\n[[rule]]\nid = "r"\ncall = "dup"\nverdict = "EPERM"',
        7,
        "line 2 already",
        "own",
    ),
    Wrong(
        HEAD + 'rule = [{id="r",call="dup",return=0}, {id="r",call="dup",return=0}]',
        2,
        "line 2 already",
        "own",
    ),
]
TESTS = [
    Wrong(RULE + "when = {}", 5, "a table without a test", "argument = value"),
    Wrong(RULE + "when = 3", 5, "when can't be 3", "[when]"),
    Wrong(RULE + "when = { domian = 1 }", 5, "has no argument 'domian'", "did you mean domain?"),
    Wrong(rule_for("getpid") + "when = { pid = 1 }", 5, "getpid has no argument", "no argument at all"),
    Wrong(RULE + 'when = { domain = "AF_INTE" }', 5, "AF_INTE", "AF_UNIX"),
    Wrong(RULE + 'when = { domain = "AF_UNIX|AF_INET" }', 5, "exclude each other", "AF_UNIX"),
    Wrong(
        rule_for("kill") + 'when = { sig = "SIGKIL" }', 5, "no value named 'SIGKIL'", "did you mean SIGKILL?"
    ),
    Wrong(rule_for("openat") + 'when = { dirfd = "FDCWD" }', 5, "named 'FDCWD'", "did you mean AT_FDCWD?"),
    Wrong(
        rule_for("chmod") + 'when = { mode = "0755" }', 5, "did you mean 0o755?", "or names such as S_ISUID"
    ),
    Wrong(RULE + 'when = { protocol = "017" }', 5, "protocol can't be '017'", "did you mean 0o17?"),
    Wrong(RULE + 'when = { protocol = "tcp" }', 5, "protocol has no value named 'tcp'", "a number in"),
    Wrong(RULE + "when = { domain = true }", 5, "domain can't be true", "a number in"),
    Wrong(RULE + "when = { domain = 1.5 }", 5, "domain can't be 1.5", "a number in"),
    Wrong(RULE + "when = { domain = 2000-01-01 }", 5, "domain can't be 2000-01-01", "a number in"),
    Wrong(RULE + "when = { domain = [1, 2] }", 5, "compared with a list", "{ in = […] }"),
    Wrong(RULE + "when = { domain = 0x1_0000_0000 }", 5, "it has 32 bits", "-2147483648..4294967295"),
    Wrong(RULE + "when = { domain = -2147483649 }", 5, "it has 32 bits", "-2147483648..4294967295"),
    Wrong(RULE + f"when = {{ domain = 0x{'f' * 9000} }}", 5, "domain can't be 0xfff", "a number in"),
    Wrong(RULE + "when = { domain = {} }", 5, "needs one kind of test", "{in = […]}"),
    Wrong(RULE + "when = { domain = { is = 1 } }", 5, "unknown test 'is'", "eq, ne, in"),
    Wrong(RULE + "when = { domain = { eq = 1, in = [1] } }", 5, "needs one kind of test", "{in = […]}"),
    Wrong(RULE + "when = { domain = { mask = 3 } }", 5, "needs one kind of test", "{mask = …}"),
    Wrong(RULE + "when = { domain = { mask = 3, lt = 3 } }", 5, "needs one kind of test", "{mask = …}"),
    Wrong(RULE + "when = { domain = { in = [] } }", 5, "at least one value", "a number in"),
    Wrong(RULE + "when = { domain = { in = 1 } }", 5, "at least one value", "a number in"),
    Wrong(
        RULE + "when = { type = { in = [1,\n\n'SOCK_STRAEM'] } }",
        5,
        "did you mean SOCK_STREAM",
        "a number in",
    ),
    Wrong(RULE + "when = { type = { mask = 0, eq = 0 } }", 5, "a mask of 0", "SOCK_"),
    Wrong(RULE + "when = { type = { mask = 3, eq = 4 } }", 5, "can never be 0x4", "all in the mask 0x3"),
    Wrong(RULE + "when = { type = { mask = 3, in = [1, 4] } }", 5, "can never be 0x4", "all in the mask 0x3"),
    Wrong(RULE + "when = { type = { gt = 3, lt = 4 } }", 5, "no value of type passes", "a range within"),
    Wrong(RULE + "when = { type = { ge = 5, le = 4 } }", 5, "no value of type passes", "a range within"),
    Wrong(RULE + "when = { type = { lt = -2147483648 } }", 5, "no value of type passes", "a range within"),
    Wrong(RULE + "when = { type = { lt = 1, le = 1 } }", 5, "both lt and le", "one lower and one upper"),
    Wrong(rule_for("mmap") + "when = { length = { lt = 0 } }", 5, "no value of length", "a range"),
    Wrong(rule_for("mmap") + "when = { length = -1 }", 5, "it has 64 bits", "0..0xffffffffffffffff"),
    Wrong(rule_for("clone") + 'when = { flags = "CLONE_VMM" }', 5, "did you mean CLONE_VM", "CLONE_"),
    Wrong(rule_for("open") + 'when = { path = "/etc/shadow" }', 5, "path is a pointer", "NULL"),
    Wrong(rule_for("open") + "when = { path = 4096 }", 5, "path is a pointer", "NULL"),
    Wrong(rule_for("open") + "when = { path = { mask = 1, eq = 0 } }", 5, "is a pointer", "NULL"),
    Wrong(rule_for("execve") + "when = { argv = { gt = 0 } }", 5, "argv is a pointer", "NULL"),
    Wrong(rule_for("read") + 'when = { buf = "text" }', 5, "no value named 'text'", "a number in"),
    Wrong(rule_for("chmod") + "when = { mode = { gt = 0o700 } }", 5, "permission bits", "equality"),
    Wrong(rule_for("chmod") + "when = { mode = 0o200000 }", 5, "mode can't be 65536", "0..65535"),
    Wrong(rule_for("kill") + 'when = { sig = "SIGKIL" }', 5, "named 'SIGKIL'", "SIGTERM"),
    Wrong(rule_for("read") + 'when = { fd = "AT_FDCWD" }', 5, "named 'AT_FDCWD'", "a number in"),
    Wrong(
        RULE + "when = { domain = 1 }\nunless = { domain = 1 }\nreturn = 0",
        6,
        "can never match",
        "other tests",
    ),
]
SECTIONS = [
    Wrong(
        HEAD + "[process]\nforks = true", 3, "unknown key in [process]: 'forks'", "vfork, max, threads, vdso"
    ),
    Wrong(HEAD + '[process]\nvfork = "emulated"', 3, "vfork can't be 'emulated'", '"emulate" or "kernel"'),
    Wrong(HEAD + "[process]\nmax = 0", 3, "max can't be 0", "from 1 to 4194304"),
    Wrong(HEAD + "[process]\nmax = 2.0", 3, "max can't be 2.0", "from 1 to 4194304"),
    Wrong(HEAD + '[process]\nthreads = "yes"', 3, "threads can't be 'yes'", "true or false"),
    Wrong(HEAD + "[process]\nvdso = 0", 3, "vdso can't be 0", "true or false"),
    Wrong(HEAD + '[limits]\nmemroy = "1GiB"', 3, "'memroy'", "did you mean memory?"),
    Wrong(HEAD + "[limits]\nstack = 1", 3, "'stack'", "output, file-size, open-files, audit-size"),
    Wrong(HEAD + '[limits]\n\ncpu = "1d"', 4, "cpu can't be '1d'", '"60s"'),
    Wrong(HEAD + "[limits]\ncpu = inf", 3, "cpu can't be inf", '"60s"'),
    Wrong(HEAD + "[limits]\nmemory = 0", 3, "memory can't be 0", '"512MiB"'),
    Wrong(HEAD + "[limits]\nmemory = 9223372036854775808", 3, "memory can't be 9223372036854775808", "MiB"),
    Wrong(HEAD + '[limits]\nmemory = "-1MiB"', 3, "memory can't be '-1MiB'", '"512MiB"'),
    Wrong(HEAD + "[limits]\noutput = true", 3, "output can't be true", '"512MiB"'),
    Wrong(HEAD + '[limits]\noutput = "all"', 3, "output can't be 'all'", '"512MiB"'),
    Wrong(HEAD + "[limits]\nopen_files = 3", 3, "'open_files'", "did you mean open-files?"),
    Wrong(HEAD + '[limits]\nwall = "soon"', 3, "wall can't be 'soon'", '"60s"'),
    Wrong(HEAD + "[limits]\nwall = nan", 3, "wall can't be nan", '"60s"'),
    Wrong(HEAD + "[limits]\nwall = 0", 3, "wall can't be 0", '"60s"'),
    Wrong(HEAD + '[limits]\nfile-size = "1.5GiB"', 3, "file-size can't be '1.5GiB'", '"512MiB"'),
    Wrong(HEAD + "[limits]\nopen-files = 0", 3, "open-files can't be 0", "from 1 to 1048576"),
    Wrong(HEAD + f"[limits]\nopen-files = 0x{'1' * 9000}", 3, "open-files can't be 0x111", "from 1 to"),
    Wrong(HEAD + '[environment]\npass = ["A"]', 3, "'pass'", "keep, set"),
    Wrong(HEAD + '[environment]\nkeep = ["A=B"]', 3, "keep can't name 'A=B'", "without '='"),
    Wrong(HEAD + '[environment]\nkeep = ["L*C"]', 3, "keep can't name 'L*C'", "a * at its end"),
    Wrong(HEAD + '[environment]\nkeep = ["A",\n""]', 4, "keep can't name ''", "not empty"),
    Wrong(HEAD + '[environment]\nset = { "A*" = "x" }', 3, "set can't name 'A*'", "without '='"),
    Wrong(HEAD + "[environment]\nset = { A = 1 }", 3, "A can't be 1", "text without NUL"),
    Wrong(HEAD + '[environment]\nset = { A = "\\u0000" }', 3, "A can't be '\\x00'", "text without NUL"),
    Wrong(HEAD + '[[waiver]]\nname = "w"', 2, "reason is missing", "reason = …"),
    Wrong(HEAD + '[[waiver]]\nname = "w"\nreason = " "', 4, "reason can't be ' '", "the reason"),
    Wrong(HEAD + '[[waiver]]\nname = "w"\nreason = "x"\nwhy = "y"', 5, "'why'", "name, reason"),
    Wrong(HEAD + '[[waiver]]\nname = "w"\nreason = "x"\n' * 2, 0, "", ""),
]
SECTIONS[-1] = Wrong(
    HEAD + '[[waiver]]\nname = "w"\nreason = "x"\n' * 2, 6, "waiver 'w' is there twice", "once"
)
PATHS = "an absolute path, or one that starts with ${cwd}, ${program} or ${scratch}"
LISTS = ("read", "write", "exec", "add-read", "add-write", "add-exec")
FILES = [
    Wrong(HEAD + "files = 3", 2, "files can't be 3", "[files]"),
    Wrong(HEAD + 'files = ["/usr"]', 2, "files can't be a list", "[files]"),
    Wrong(HEAD + "\n[files.more]\n", 3, "unknown key in [files]: 'more'", "read, add-read, write"),
    Wrong(HEAD + '[files]\nraed = ["/"]', 3, "unknown key in [files]: 'raed'", "did you mean read?"),
    Wrong(
        HEAD + '[files]\nexecute = ["/"]', 3, "unknown key in [files]: 'execute'", "exec, add-exec, scratch"
    ),
    Wrong(HEAD + "[files]\nadd-scratch = true", 3, "unknown key in [files]: 'add-scratch'", "scratch"),
    Wrong(HEAD + "[files]\nscratch = 1", 3, "scratch can't be 1", "true or false"),
    Wrong(HEAD + '[files]\nscratch = "/tmp"', 3, "scratch can't be '/tmp'", "true or false"),
    Wrong(HEAD + '[files]\nread = "/usr"', 3, "read can't be '/usr'", f"a list in [ ]: {PATHS}"),
    Wrong(HEAD + '[files]\nread = { usr = "/usr" }', 3, "read can't be a table", "a list in [ ]"),
    Wrong(HEAD + '[files]\nread = [\n"/usr",\n7]', 5, "7 is no text", PATHS),
    Wrong(HEAD + '[files]\nread = ["/usr", ["/lib"]]', 3, "a list is no text", PATHS),
    *(
        Wrong(HEAD + f'[files]\n{key} = [\n    "/usr", # fine\n    "lib",\n]', 5, "no path: 'lib'", PATHS)
        for key in LISTS
    ),
    *(
        Wrong(HEAD + f'[files]\nread = ["{path}"]', 3, f"no path: {shown}", PATHS)
        for path, shown in [
            ("", "''"),
            (" ", "' '"),
            (" /usr", "' /usr'"),
            (".", "'.'"),
            ("..", "'..'"),
            ("./usr", "'./usr'"),
            ("../etc", "'../etc'"),
            ("~/.ssh", "'~/.ssh'"),
            ("*", "'*'"),
            ("$cwd", "'$cwd'"),
            ("$HOME/x", "'$HOME/x'"),
            ("${}", "'${}'"),
            ("${}/x", "'${}/x'"),
            ("${home}", "'${home}'"),
            ("${HOME}/x", "'${HOME}/x'"),
            ("${CWD}", "'${CWD}'"),
            ("${ cwd }", "'${ cwd }'"),
            ("${cwd", "'${cwd'"),
            ("${cwd/x", "'${cwd/x'"),
            ("${cwd}x", "'${cwd}x'"),
            ("${cwd}..", "'${cwd}..'"),
            ("${cwd}}", "'${cwd}}'"),
            ("${cwd}${scratch}", "'${cwd}${scratch}'"),
            ("x${cwd}", "'x${cwd}'"),
            ("file:///etc", "'file:///etc'"),
            ("\\u0000", "'\\x00'"),
            ("/usr\\u0000/etc", "'/usr\\x00/etc'"),
            ("${cwd}/\\u0000", "'${cwd}/\\x00'"),
            ("\\u001b[2J", "'\\x1b[2J'"),
            ("\\n/usr", "'\\n/usr'"),
            ("\\u202e/usr", "'\\u202e/usr'"),
            ("\uff0fusr", "'\uff0fusr'"),
            ("x" * 5000, "'" + "x" * 60 + "…'"),
        ]
    ),
]
EXTENDS = [
    Wrong(HEAD + 'extends = "defalt"', 2, "no shipped policy named 'defalt'", "default, observe, ostoo"),
    Wrong(
        HEAD + 'extends = "no/such.toml"', 2, "can't read the policy: No such file", "default, observe, ostoo"
    ),
    Wrong(HEAD + 'extends = "/"', 2, "can't read the policy", "a regular file that can be read"),
    Wrong(HEAD + 'extends = "a\\u0000b/c"', 2, "extends can't be 'a\\x00b/c'", "one line"),
    Wrong(HEAD + '\nextends = ""', 3, "extends names no policy", "default, observe, ostoo"),
    Wrong(HEAD + 'extends = " "', 2, "no shipped policy named ' '", "default, observe, ostoo"),
    Wrong(HEAD + 'extends = ["default"]', 2, "extends can't be a list", "one line"),
]
ALL = [*TOML, *TOP, *CALLS, *RULES, *TESTS, *SECTIONS, *FILES, *EXTENDS]


@pytest.mark.parametrize("wrong", ALL, ids=range(len(ALL)))
def test_a_wrong_policy_is_one_clear_error(wrong: Wrong) -> None:
    with pytest.raises(PolicyError) as caught:
        loads(wrong.text, file="dir/p.toml")
    error = caught.value
    assert wrong.says in error.message
    assert wrong.allowed in error.allowed
    assert str(error) == f"dir/p.toml:{wrong.line}: {error.message}; allowed here: {error.allowed}"
    assert str(error).isprintable()
    assert len(str(error)) < 1000
    assert error.exit_code == 125


def test_the_corpus_is_large() -> None:
    assert len(ALL) >= 60


def test_a_hostile_file_name_stays_on_one_line() -> None:
    with pytest.raises(PolicyError, match=r"^a\\n\\x1b\.toml:1: "):
        loads("", file="a\n\x1b.toml")
