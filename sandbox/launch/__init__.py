"""Everything between a policy and a guest that stands before its first instruction."""
