"""FastAPI dependencies: settings, database session, current user, pagination, services."""
