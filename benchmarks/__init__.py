"""What is claimed to be fast, measured beside its floor and its peers. No test depends on a time measured here.

`make benchmarks` runs all of it and writes RESULTS.md and results.json. A new benchmark is a module of the form that
section.py describes, and an entry of sections.toml.
"""
