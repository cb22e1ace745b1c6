"""Batches that are read and preprocessed on other machines, by TensorFlow's tf.data service.

__main__   python -m mmkeras.data.service: a server
address    which servers there are, and whether they answer
portable   what a server can run: graphs without Python functions, and what they capture
client     the trainer's side: batches of several servers in the order of one pipeline
"""
