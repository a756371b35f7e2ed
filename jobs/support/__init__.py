"""Share between the jobs: command line, record in the store, progress bars, logs, tables."""
