"""What it costs; `make bench` measures it, and writes RESULTS.md."""
