"""Where processes begin: the command line and the worker."""
