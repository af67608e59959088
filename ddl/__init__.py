"""ddl trains Keras models on many machines, with exactly the numbers that one process would give.

`import ddl` is fast: TensorFlow and Horovod load with the parts that need them.
"""

__version__ = "0.1.0"
