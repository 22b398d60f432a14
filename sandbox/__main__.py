"""`python -I -m sandbox` is run-untrusted-binary.

Without `-I`, Python has looked for modules in the working directory already, and would go on doing so.
"""

import os
import sys


def main() -> int:
    """The program `run-untrusted-binary`, where Python was started isolated."""
    if not sys.flags.isolated:
        os.write(2, b"run-untrusted-binary: not started isolated; use: python -I -m sandbox\n")
        return 125
    from sandbox.cli.start import run_untrusted_binary

    return run_untrusted_binary()


if __name__ == "__main__":
    sys.exit(main())
