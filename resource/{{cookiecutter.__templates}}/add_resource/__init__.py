"""Write a finished slice into a project: all of it, or nothing."""
