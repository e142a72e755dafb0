"""Products of spikes and of gradients with weights on the CPU, compiled."""
