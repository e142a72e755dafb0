"""Axonal delays that learn."""
