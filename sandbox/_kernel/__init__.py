"""The only door to the kernel. Import `sandbox._kernel.calls`; nobody else imports cffi."""
