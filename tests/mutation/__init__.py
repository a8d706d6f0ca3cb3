"""Mutation testing of what decides figures: rules, matcher, localiser. ``python -m tests.mutation --help``.

Small changes are made to a module, one at a time, and the module's own tests must notice. Our own driver, because the
known tools have no fixed sample in bounded time: mutmut first runs and rewrites the whole project, cosmic-ray changes
files of the work tree; neither can draw a sample. Nothing is written here: a changed module exists only in the memory
of the process that tests it.
"""
