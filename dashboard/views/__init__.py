"""One page a file: read the state, load, show."""
