"""What the program does to itself to show that it keeps its promises on this machine. Loaded by `selftest` alone."""
