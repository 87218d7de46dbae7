"""The kernel: flat, ranked modules; each imports lower ranks and the standard library only."""
