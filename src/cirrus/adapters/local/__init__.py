"""The local home: worker processes on this machine."""
