"""One reader per family of formats; every reader makes a Document. The choice is made by content, in ``opening``."""
