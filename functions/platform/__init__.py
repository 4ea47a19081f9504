"""The platform's own functions: they watch the others and keep the schema."""
