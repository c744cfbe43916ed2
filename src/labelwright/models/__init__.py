"""Models: the catalogue of the public app, the built-in ones, loading them."""
