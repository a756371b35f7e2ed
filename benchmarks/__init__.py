"""Scripts that measure speed, memory and exactness; nothing imports them but jobs/benchmark.py."""
