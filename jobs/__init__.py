"""Run one verb a file: each has `main(argv) -> int`; what they share is in `support`."""
