"""API endpoints: HTTP methods and paths, each handed to a service."""
