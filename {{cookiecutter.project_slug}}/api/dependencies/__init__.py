"""What the application hands to a request: settings, session, page, services, and the middleware around it."""
