"""The command lines: one file per command, and the one place that turns exceptions into exit statuses."""
