"""The wire: one module a resource, and one dispatcher under every transport."""
