"""Authentication, steps 1 to 7 of the check: in columns for codes of a known template, one by one for the others."""
