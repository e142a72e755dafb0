"""The command line: one file per command, what several of them print in tables/."""
