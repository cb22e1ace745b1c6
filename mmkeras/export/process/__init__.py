"""Work in separate processes, where a crash does no harm and mmkeras cannot be imported by accident.

start        the common protocol: a request, an answer, a time limit, and an end when the parent process ends
saved_model  loads and runs a SavedModel
litert       converts, quantises, runs and times LiteRT files
scripts/     what runs there
"""
