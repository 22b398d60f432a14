"""A policy and the set of supervised calls as a seccomp-BPF program, and a simulator to prove it by."""
