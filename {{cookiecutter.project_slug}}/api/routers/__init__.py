"""How the world reaches us: paths and methods in, responses and problems out."""
