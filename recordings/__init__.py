"""What is recorded of a session: with whose consent, how it is sealed, kept, and destroyed."""
