"""Makes a Python environment in which distributed training works: packages, an MPI, and Horovod built to fit.

`./setup.sh` calls it for a checkout's own `.venv`; `python -m ddl.install` runs it in any environment. Only the
standard library is used here, because nothing else is there yet.
"""
