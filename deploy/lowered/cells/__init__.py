"""One module for each neuron model: the stock processes that compute it together."""
