"""Sources of secrets: the environment, files, the system's keyring, AWS Secrets Manager."""
