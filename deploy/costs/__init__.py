"""What a network costs on a chip: where it lies, what its cores do, energy and time."""
