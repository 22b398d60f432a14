"""What an ELF file is: whether it can run here, and its facts for the audit log."""

from sandbox.elf.header import check_runnable, interpreter
from sandbox.elf.identity import MAX_HASHED_OF_GUEST, ElfFacts, facts, load

__all__ = ["MAX_HASHED_OF_GUEST", "ElfFacts", "check_runnable", "facts", "interpreter", "load"]
