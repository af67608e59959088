"""Variables of any program, histories and watch rules. Standard library only: the agent uses it, too."""
