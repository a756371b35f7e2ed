"""What `jobs/benchmark.py` measures, each in a process of its own, and how it is told."""
