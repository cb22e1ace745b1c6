"""What people look at: examples and batches as HTML, and what is in a data set in numbers."""
