"""ddl trains Keras models on many machines, with exactly the numbers that one process would give.

Importing it costs nothing: TensorFlow and Horovod are loaded by the parts that need them.
"""

__version__ = "0.1.0"
