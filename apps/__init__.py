"""Applications on top of Agent OS. Each can be deleted without touching the kernel."""
