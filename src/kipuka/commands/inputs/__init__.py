"""What a command runs a network on: files, data sets by name, golden vectors."""
