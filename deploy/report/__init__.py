"""The report: one page that works offline, with a source for every number."""
