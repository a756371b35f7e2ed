"""Run one job per file, each with `main(argv) -> int`; `support` is shared."""
