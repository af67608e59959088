"""The variables that ranks share: sent, compared, averaged."""
