"""The commands of dolphin-dnn and of Cay's deep learning as plans: a prototxt file, rows of text, and their flags."""
