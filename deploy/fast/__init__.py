"""The fast simulator: a network event by event in compiled integer kernels."""
