"""What the application hands to a request: settings, connection, page, services, and the middleware around it."""
