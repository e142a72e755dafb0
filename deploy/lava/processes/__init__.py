"""Lava processes that Lava itself lacks.

Lava finds the models of a process by executing every file of this folder again under its bare name:
files here import absolutely, do nothing on import but define, and stay few.
"""
