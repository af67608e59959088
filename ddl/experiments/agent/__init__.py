"""The program beside a job: one file of the standard library (Python 3.8 to 3.13), made of these modules.

What it imports from ddl is packed into one `agent.pyz`, so nothing of ddl is needed on a node.
"""
