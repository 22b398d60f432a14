"""Policies: TOML text to a frozen value (`load`), and the groups, emulations and weakenings it may name."""
