"""The built-in vision models: no weights, no downloads, arrays in and arrays out."""
