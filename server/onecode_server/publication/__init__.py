"""Publication of status records, and the migration of stores from earlier layouts."""
