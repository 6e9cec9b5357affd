"""What `run` consists of: Python's standard library alone."""
