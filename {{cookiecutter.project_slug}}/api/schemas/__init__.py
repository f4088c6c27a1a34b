"""The words we exchange: shapes and rules of requests and responses."""
