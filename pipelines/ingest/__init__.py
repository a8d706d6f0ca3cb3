"""A delivered file becomes cells: reading, matching to the form, text to number. No judging."""
