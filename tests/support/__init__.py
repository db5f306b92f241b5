"""What tests stand on: a real PostgreSQL, guards around the machine they run on, and the floors of the tree."""
