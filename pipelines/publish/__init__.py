"""Verified tables become released bytes: data, package, report, site. No computing of figures."""
