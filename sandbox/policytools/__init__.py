"""Tools for those who write policies: check, explain, compare, show."""
