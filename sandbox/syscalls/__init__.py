"""Words for system calls: the call table, argument kinds, flag names, errnos, and a call shown by name."""
