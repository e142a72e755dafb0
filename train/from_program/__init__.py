"""Training blocks out of a Program: the quantized forward pass as one more engine."""
