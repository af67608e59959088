"""One attempt, from its claim to its status: what `agent.pyz run` does."""
