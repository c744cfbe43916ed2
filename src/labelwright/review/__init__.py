"""The pages where people sign in, look at what the server did, and decide what it was not sure of."""
