"""Options of `run-untrusted-binary` as a person can paste them into a shell, whatever a path holds. Pure."""

from __future__ import annotations

import os

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")


def option(right: str, path: str) -> str:
    """The option that gives a right to a path: `--read /etc/gai.conf`."""
    return f"--{right} {quoted(path)}"


def quoted(text: str) -> str:
    """One word of a shell's, with nothing in it that a terminal could act on.

    What is not printable becomes octal between `$'` and `'`, which bash, zsh, ksh and busybox understand.
    """
    if text and _PLAIN.issuperset(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return "$'" + "".join(map(_octal, text)) + "'"


def _octal(char: str) -> str:
    if char.isprintable() and char not in "\\'":
        return char
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(char))
