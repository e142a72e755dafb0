"""What can be said of a Program without running it: ranges of states, delays, a summary."""
