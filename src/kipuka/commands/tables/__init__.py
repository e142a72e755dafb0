"""Tables and plots that several commands show."""
