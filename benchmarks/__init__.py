"""What is claimed to be fast, measured beside its floor and its peers. No test depends on a time measured here."""
