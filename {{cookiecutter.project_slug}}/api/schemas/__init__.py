"""Structure and validation rules of request and response data."""
