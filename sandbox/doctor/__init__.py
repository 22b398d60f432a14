"""What this kernel and this user can enforce, found by trying it, and what a run would have of it."""
