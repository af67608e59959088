"""Installs what distributed training needs: packages, an MPI, and a Horovod built for both.

`./setup.sh` uses it for a checkout's `.venv`; `python -m ddl.install` installs into any environment. It imports
only the standard library, because nothing else is installed when it runs.
"""
