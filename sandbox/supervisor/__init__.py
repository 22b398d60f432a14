"""The supervisor: stops come in, verdicts and records go out. `loop` is the entry."""
