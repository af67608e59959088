"""What verbs print: columns that fit the terminal, colours, ages, tails of logs. All texts of users are escaped."""
