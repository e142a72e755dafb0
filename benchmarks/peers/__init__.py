"""Other simulators on Kipuka's networks: one file per engine, run by ``benchmarks/peers.py``."""
