"""What make runs besides tests and benchmarks."""
