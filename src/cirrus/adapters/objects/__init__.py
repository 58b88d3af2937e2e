"""Objects in folders and object stores, found by URL."""
