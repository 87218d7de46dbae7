"""The schedulers of the operating system: what is written for them, and what is read of them. Sees the kernel alone."""
