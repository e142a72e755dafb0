"""CUBA neurons in training: SLAYER's leaky integrator, compiled."""
