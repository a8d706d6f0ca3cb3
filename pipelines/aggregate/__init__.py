"""Accepted submissions become totals, reconciled with a published report. No validating of returns."""
