"""What the core needs from the world: one protocol a file, its docstrings the contract."""
