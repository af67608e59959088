"""The log of updates of an asynchronous run, its checks, and its replay in one process without Ray."""
