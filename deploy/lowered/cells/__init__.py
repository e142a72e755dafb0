"""One module for each neuron model: Lava's own processes that compute it together."""
