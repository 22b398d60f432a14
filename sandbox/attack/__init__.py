"""Attack programs against the sandbox on this very kernel, each beside a victim and judged from outside."""
