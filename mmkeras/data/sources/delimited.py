"""CSV files -> `pandas.DataFrame`, once each row is known to have as many fields as the header.

`pandas.read_csv` takes the first fields for an index where rows have more fields than the header, fills rows that have
fewer with NaN, and cuts a field at a NUL character. So the csv module counts the fields first: 0.4 to 0.7 s for a
million rows of 63 bytes, where pandas itself takes 0.9 to 1.4 s.
"""

import contextlib
import csv
import functools
import io
import itertools
from typing import NamedTuple

import pandas as pd
from pandas.io.common import get_handle

from mmkeras.data.faults import Fault, report

_BLOCK = 2**20
# pandas cuts fields at NUL, and reads a line twice if it ends in a lone carriage return followed by a blank.
_MISREAD = ("\0", "\r ", "\r\t")
_DIALECT = ("dialect", "quotechar", "doublequote", "escapechar", "skipinitialspace")
# With these options, only pandas can tell what a row is.
_UNCOUNTED = ("comment", "on_bad_lines", "skipfooter", "lineterminator", "delim_whitespace", "chunksize", "iterator")
# These options apply to the file, not to the text of the remaining rows.
_OF_FILES = ("compression", "encoding", "encoding_errors", "storage_options", "memory_map")


def read(path, options, on_error):
    """Reads a CSV file.

    Args:
        path: of the file, or a file object.
        options: dict, what `pandas.read_csv` takes.
        on_error: "raise", or "skip" to leave out rows that cannot be read as they stand.

    Returns:
        (frame, header, faults): the table, whose index numbers the rows of the file; the names of its columns as the
        file has them, None where they are not known; and a `Fault` for each row that was left out.

    Raises:
        ValueError: rows have more or fewer fields than the header, hold a NUL character, or are not in the encoding of
            the file, all of them named; or pandas cannot read it.
    """
    # Letting pandas guess types would alter the data: 007 becomes 7.0, true becomes True.
    options = {"dtype": str, "keep_default_na": False, "na_values": [""], **options}
    file = _File(path, options)
    layout = _layout(options)
    try:
        regular, header = (True, None) if layout is None else file.look(layout)
        if regular:
            return _own_index(pd.read_csv(file.source(), **options), options, file), header, []
        text, rows, faults = file.sort_out(layout)
        if faults and (on_error == "raise" or not rows):
            raise ValueError(report(faults))
        options = {key: value for key, value in options.items() if key not in _OF_FILES}
        frame = _own_index(pd.read_csv(io.StringIO(text, newline=""), **options), options, file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError) as error:
        raise ValueError(
            f"A CSV file must be a table of rows and fields. Received: {file.name or 'a file'}: {error}. Is a quote "
            "not closed, or does the file need other encoding=, sep= or quotechar=?"
        ) from error
    if len(frame) == len(rows) and isinstance(frame.index, pd.RangeIndex):
        frame.index = rows
    return frame, header, faults


def _own_index(frame, options, file):
    """The table; raises ValueError if pandas used fields as its index, which shifts all columns."""
    if options.get("index_col") is None and not isinstance(frame.index, pd.RangeIndex):
        width = frame.shape[1]
        raise ValueError(
            f"Rows must have as many fields as the header. Received: {file.name or 'a file'}, where row 0 has "
            f"{width + frame.index.nlevels} and the header {width}. Put fields that hold the separator in quotes."
        )
    return frame


class _Layout(NamedTuple):
    """Position of the header and the rows."""

    skip: int  # records to skip at the beginning
    header: int | None  # index of the header among the non-blank records
    names: list | None
    most: int | None  # maximum number of rows
    ends_in_delimiter: bool  # rows may have extra empty fields at their end
    dialect: dict


def _layout(options):
    """The layout; None if the csv module does not find the same rows as pandas."""
    delimiter = options.get("sep", options.get("delimiter", ","))
    skip, header, names = options.get("skiprows") or 0, options.get("header", "infer"), options.get("names")
    header = (0 if names is None else None) if header == "infer" else header
    known = isinstance(delimiter, str) and len(delimiter) == 1 and isinstance(skip, int)
    known = known and isinstance(header, int | None) and options.get("skip_blank_lines", True)
    if not known or any(options.get(each) for each in _UNCOUNTED) or (names is not None and options.get("usecols")):
        return None
    dialect = {key: options[key] for key in _DIALECT if options.get(key) is not None} | {"delimiter": delimiter}
    dialect |= {"quoting": csv.QUOTE_NONE} if options.get("quoting") == csv.QUOTE_NONE else {}
    names = None if names is None else list(names)
    return _Layout(skip, header, names, options.get("nrows"), options.get("index_col") is False, dialect)


class _File:
    """A CSV file that can be opened several times."""

    def __init__(self, path, options):
        self.name, self.options = "" if hasattr(path, "read") else str(path), options
        self.encoding = options.get("encoding") or "utf-8"
        content = path.read() if hasattr(path, "read") else None
        stream = io.BytesIO if isinstance(content, bytes) else functools.partial(io.StringIO, newline="")
        self.source = (lambda: path) if content is None else lambda: stream(content)

    def _opened(self, errors):
        encoding = "utf-8-sig" if self.encoding.lower() in ("utf-8", "utf8", "utf_8") else self.encoding
        given = {key: self.options[key] for key in ("compression", "storage_options") if key in self.options}
        errors = self.options.get("encoding_errors") or errors
        return get_handle(self.source(), "r", encoding=encoding, errors=errors, **{"compression": "infer", **given})

    def look(self, layout):
        """Whether all rows match the header, and its names. The loops run in C, because most files are correct."""
        try:
            with self._opened("strict") as opened:
                if _is_misread(iter(lambda: opened.handle.read(_BLOCK), "")):
                    return False, None
            with self._opened("strict") as opened, _fields_of_any_size():
                records = csv.reader(opened.handle, **layout.dialect)
                header = _header(records, layout, bool)
                counts = set(map(len, itertools.islice(filter(None, records), layout.most)))
        except UnicodeDecodeError:
            return False, None
        names = header if layout.names is None else layout.names
        return len(counts | ({len(names)} if names else set())) < 2, names

    def sort_out(self, layout):
        """The file's text without invalid rows, the numbers of the other rows, and the faults."""
        kept, rows, faults = [], [], []
        with self._opened("surrogateescape") as opened, _fields_of_any_size():
            records = _records(opened.handle, layout.dialect)
            header = _header(_noted(records, kept), layout, _is_row)
            wrong = header and (self._undecoded(header) or _nul(header))
            if wrong:
                raise pd.errors.ParserError(f"{header.where}, the header, {wrong}")
            width = len(layout.names or (header.fields if header else ()))
            for row, record in enumerate(itertools.islice(filter(_is_row, records), layout.most)):
                width = width or len(record.fields)
                wrong = self._undecoded(record) or _nul(record) or _miscounted(record, width, layout)
                if wrong:
                    faults.append(Fault(row, "", self.name, f"{record.where} {wrong}"))
                else:
                    rows.append(row)
                    kept.append(record.text)
        return "".join(kept), rows, faults

    def _undecoded(self, record):
        try:
            record.text.encode()
        except UnicodeEncodeError as error:
            byte, before = ord(record.text[error.start]) - 0xDC00, record.text[max(0, error.start - 20) : error.start]
            return f"is not in {self.encoding}: byte 0x{byte:02x} after {before!r}; give encoding="
        return None


def _is_misread(blocks):
    """Whether this text contains sequences that pandas 3.0 may misread."""
    last = ""
    for block in blocks:
        text, last = last + block, block[-1:]
        if any(each in text for each in _MISREAD):
            return True
    return False


@contextlib.contextmanager
def _fields_of_any_size():
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _header(records, layout, is_row):
    """Reads the header and all records before it; None if there is no header."""
    for _ in range(layout.skip):
        next(records, None)
    if layout.header is None:
        return None
    return next(itertools.islice(filter(is_row, records), layout.header, None), None)


class _Record(NamedTuple):
    fields: list
    text: str
    where: str


def _is_row(record):
    """Whether a record counts as a row: pandas skips blank lines."""
    return len(record.fields) > 1 or record.text.strip()


def _records(handle, dialect):
    lines, first = [], 1
    for fields in csv.reader(_noted(handle, lines), **dialect):
        last = first + len(lines) - 1
        where = f"line {first}" if first == last else f"the text from line {first} to {last}"
        text = "".join(lines)
        yield _Record(fields, text[:-1] + "\n" if text.endswith("\r") else text, where)
        lines.clear()
        first = last + 1


def _noted(iterator, kept):
    for each in iterator:
        kept.append(getattr(each, "text", each))
        yield each


def _nul(record):
    before, nul, _ = record.text.partition("\0")
    return f"holds a NUL character after {before[-20:]!r}" if nul else None


def _miscounted(record, width, layout):
    count, sep = len(record.fields), layout.dialect["delimiter"]
    if count == width or (layout.ends_in_delimiter and count > width and not any(record.fields[width:])):
        return None
    hint = f"put fields that hold {sep!r} in quotes" if count > width else "leave no field out, not even an empty one"
    first = "the header" if layout.header is not None else "the first row"
    return f"has {count} field(s), {first if layout.names is None else 'names='} has {width}: {hint}"
