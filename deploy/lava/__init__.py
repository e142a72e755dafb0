"""Networks as graphs of Lava processes, run on this machine by processes of their own."""
