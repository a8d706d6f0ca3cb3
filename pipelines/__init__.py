"""How the work is done: functions from bytes to tables to bytes. No Dagster, no global state."""
