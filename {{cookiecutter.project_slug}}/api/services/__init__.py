"""Core business logic and complex operations, an intermediary layer between routers and models."""
