"""Every promise of a policy as a row that runs on the real kernel."""
