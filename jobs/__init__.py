"""The jobs: one verb a file, each with `build_parser()` and `main(argv) -> int`."""
