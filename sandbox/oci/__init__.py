"""Seccomp profiles of Docker and of the OCI runtime specification, to and from policies. Pure."""
