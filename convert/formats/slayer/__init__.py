"""Networks out of the blocks of lava-dl SLAYER and of Kipuka."""
