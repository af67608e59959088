"""Events become mails or calls of a command, each once."""

from ddl.experiments.notify.rounds import after_sync

__all__ = ["after_sync"]
