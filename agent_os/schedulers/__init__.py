"""The schedulers of the operating systems and of other engines: what they are told. Sees the kernel only."""
