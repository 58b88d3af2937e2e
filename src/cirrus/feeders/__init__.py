"""The outside world into payloads (a later issue builds here)."""
