"""For all tests: signals as an interactive shell leaves them, whatever started the tests.

A job in the background ignores SIGINT and SIGQUIT, what is ignored stays so across execve, and guests are
given what their caller ignores.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
for _one in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(_one, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP})
