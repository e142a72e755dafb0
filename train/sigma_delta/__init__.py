"""Sigma-delta networks in training: blocks of SLAYER's shape that compute what is deployed."""
