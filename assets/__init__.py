"""When it runs: thin Dagster assets, one module per stage. No logic of its own."""
