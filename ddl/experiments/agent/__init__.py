"""The program beside a job: one file of the standard library (Python 3.8 to 3.13), made of these modules.

    attempt/   one attempt, from its claim to its status
    runner/    the queue of a machine without a scheduler
    hand/      scripts that were submitted by hand and report themselves
    node/      processes, memory, disk and GPUs of the machine

`pack` makes `agent.pyz` of them and of what they import from ddl, so nothing of ddl is needed on a node. `outcome`,
`layout` and `whole` are the manager's, too.
"""
