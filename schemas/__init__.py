"""What must hold: declarations and pure derivations from them. No reading of returns, no Dagster."""
