"""What a log tells about a run, worked out from the log alone."""
