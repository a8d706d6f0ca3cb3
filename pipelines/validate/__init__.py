"""Cells become findings: completeness, types, rules, history, narrative. No reading of files."""
