"""ddl trains Keras models on many machines, with exactly the numbers that one process would give.

`import ddl` is fast: TensorFlow and Horovod load with the parts that need them.
"""

import logging

from ddl.plain_text import EscapedRecords

__version__ = "0.1.0"

logging.getLogger("ddl").addFilter(EscapedRecords())  # names of files come from strangers
