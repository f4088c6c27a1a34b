"""What we decide: the business rules, between routers and models."""
