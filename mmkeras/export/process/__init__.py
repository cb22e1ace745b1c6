"""Work in separate processes, where a crash does no harm and mmkeras cannot be imported by accident.

start        the protocol, for all: a request and an answer, a time limit, and an end with the process that started it
saved_model  loads and runs a SavedModel
litert       converts, quantises, runs and times LiteRT files
scripts/     what runs there
"""
