"""The files that a run writes for the person who asked for it: its log and its outcome."""

from __future__ import annotations

import json
import os

from sandbox.audit.sinks import find_log, open_sink
from sandbox.audit.writer import AuditLog
from sandbox.errors import AuditError, UsageError
from sandbox.output_file import OutputFile
from sandbox.pipes import write_all
from sandbox.runner import Result, setup_error


class Outputs:
    """The files that a run's log and its outcome go to. Nothing is made or emptied before `begin`."""

    def __init__(self, audit: str | None, outcome: str | None) -> None:
        """Look at the outcome's place. Raises UsageError if it cannot be written, or must not."""
        self.audit = audit
        self.log: OutputFile | None = None
        self._outcome_name = outcome
        self.outcome = self._find_outcome()

    def _find_outcome(self) -> OutputFile | None:
        try:
            return None if self._outcome_name is None else OutputFile(self._outcome_name, 0o644)
        except OSError as error:
            raise self._unopened(error) from None

    def find_log(self) -> None:
        """Look at the log's place. Raises AuditError if it cannot be written, or must not."""
        if self.audit is not None:
            self.log = find_log(self.audit)

    def _unopened(self, error: OSError) -> UsageError:
        return UsageError(f"--outcome {self._outcome_name}: {error.strerror}")

    def begin(self) -> AuditLog:
        """Open both, then empty them; or leave both as they were, and raise UsageError or AuditError."""
        try:
            if self.outcome:
                self.outcome.open()
            sinks = [] if self.audit is None else [open_sink(self.audit, self.log)]
            if self.outcome:
                self.outcome.commit()
        except BaseException as error:
            if self.outcome:
                self.outcome.discard()
            if isinstance(error, OSError):
                raise self._unopened(error) from None
            raise
        return AuditLog(sinks)

    def tell(self, result: Result) -> None:
        """Write how the run ended. Raises AuditError."""
        if self.outcome is None:
            return
        try:
            data = json.dumps(result.outcome.as_dict()).encode() + b"\n"
            write_all(self.outcome.fd, data, result.check_patience)
            os.close(self.outcome.fd)
        except OSError as error:
            raise AuditError(f"cannot write the outcome: {error.strerror}") from None

    def refuse(self, error: Exception) -> None:
        """Tell of a run that is not begun whoever reads a pipe. A file stays as it was."""
        if self.outcome is None or not self.outcome.is_stream:
            return
        try:
            self.outcome.open()
            self.tell(Result(setup_error(error), 125))
        except (AuditError, OSError):
            pass  # the error itself is what the caller is told
