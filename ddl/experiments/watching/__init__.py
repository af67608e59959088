"""Variables of any program, histories and watch rules. Standard library only: the agent uses it, too.

`variables.Reader` reads rows such as {"epoch": 3, "loss": 0.31} from what a program writes; `history.History` keeps
them in history.json; `rule_text.parse_rule` reads a rule; `rules.Watch` says which rules fire. docs/watching.md.
"""
