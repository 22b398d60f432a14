"""What an ELF file is: whether it can run here, and its facts for the audit log."""

from sandbox.elf.header import check_runnable
from sandbox.elf.identity import ElfFacts, facts

__all__ = ["ElfFacts", "check_runnable", "facts"]
