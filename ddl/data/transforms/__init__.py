"""Changes of samples in a stated order, such as "resize=128x128" and "random_horizontal_flip=0.5".

`table` has the names. What is drawn shares its arithmetic with `ddl.data.batches.augmentation`, whose options are names
here, too.
"""
