"""Where raw examples come from.

tables        `from_csv`, `from_jsonl`, `from_dataframe`
delimited     CSV files, checked row by row
json_lines    files with a JSON object on each line
datasets      `from_dataset`, data sets of other libraries
hugging_face  those of Hugging Face
stream        those of tf.data, as a `Stream`
attempts      conversion of the examples of a stream
"""
