"""The mail server: its settings, its password, a mail on its way to it."""
