"""Files and modules that hold a network: a reader and a writer each."""
