"""Views of examples and batches as HTML, and summary statistics of a data set."""
