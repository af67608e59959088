"""Events become mails or calls of a command, each once."""
