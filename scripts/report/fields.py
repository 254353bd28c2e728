"""Reading JSON that somebody else wrote: every complaint names the file and the field."""

import json
import math
import os
import re
import sys


class InputError(Exception):
    """A result file that cannot be used; the message is for the person who passed it."""


def report_input_error(error):
    """One line for standard error, from an InputError or an OSError."""
    if isinstance(error, OSError):
        return f"error: {error.filename}: {error.strerror}"
    return f"error: {error}"


def stop_for_missing(module):
    """End the program for an ImportError: the Python that runs it need not be the one that setup.sh installs for."""
    told = f"error: {module}: run it by /usr/bin/python3, for which `scripts/setup.sh run` installs what is needed"
    print(told, file=sys.stderr)
    sys.exit(2)


class Field:
    """A JSON value that knows which file it is from and where it stands there."""

    def __init__(self, file, value, path=""):
        self.file = str(file)
        self.value = value
        self.path = path

    @classmethod
    def load(cls, file):
        try:
            with open(file, encoding="utf-8") as stream:
                text = stream.read()
            if not text.strip():
                raise InputError(f"{file}: is empty; did the program that should write it end early?")
            value = json.loads(text)
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can be read, but not written
            return cls(file, value)
        except UnicodeEncodeError as error:
            raise InputError(f"{file}: a text holds a character that is none: {error.reason}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: not a text file ({error.reason} at byte {error.start})") from error
        except json.JSONDecodeError as error:
            raise InputError(f"{file}: not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
        except ValueError as error:
            raise InputError(f"{file}: not usable: {error}") from error  # a number of thousands of digits
        except RecursionError as error:
            raise InputError(f"{file}: not usable: lists or objects lie within each other too deep") from error

    def wrong(self, message):
        # A key of the file may hold anything: the message stays one line.
        path = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in self.path)
        return InputError(f"{self.file}: field '{path or '(top level)'}': {message}")

    def _child(self, key):
        if isinstance(key, int):
            return f"{self.path}[{key}]"
        return f"{self.path}.{key}" if self.path else key

    def _of_type(self, kind, name):
        if not isinstance(self.value, kind) or (isinstance(self.value, bool) and kind is not bool):
            shown = json.dumps(self.value)
            raise self.wrong(f"should be {name}, is {shown if len(shown) <= 60 else shown[:57] + '...'}")
        return self.value

    def has(self, key):
        return key in self._of_type(dict, "an object") and self.value[key] is not None

    def __getitem__(self, key):
        if key not in self._of_type(dict, "an object"):
            raise Field(self.file, None, self._child(key)).wrong("is missing")
        return Field(self.file, self.value[key], self._child(key))

    def __iter__(self):
        for index, value in enumerate(self._of_type(list, "a list")):
            yield Field(self.file, value, self._child(index))

    def keys(self):
        return list(self._of_type(dict, "an object"))

    def items(self):
        """[(key, field)] of an object, without what is null."""
        return [(key, self[key]) for key in self.keys() if self.has(key)]

    def text(self):
        return self._of_type(str, "text")

    def optional_text(self, key, default=""):
        return self[key].text() if self.has(key) else default

    def boolean(self):
        return self._of_type(bool, "true or false")

    def count(self):
        """A whole number, zero or more."""
        if self._of_type(int, "a whole number") < 0:
            raise self.wrong(f"should be zero or more, is {self.value}")
        return self.value

    def number(self):
        """A finite number, as float. Google Benchmark writes NaN and Infinity; those are refused."""
        try:
            number = float(self._of_type((int, float), "a number"))
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(f"should be a finite number, is {str(self.value)[:60]}")
        return number

    def one_of(self, allowed):
        if self.text() not in allowed:
            raise self.wrong(f"should be one of {', '.join(repr(a) for a in allowed)}, is {self.value!r}")
        return self.value

    def matching(self, pattern, described):
        if not re.fullmatch(pattern, self.text()):
            raise self.wrong(f"should be {described}, is {self.value!r}")
        return self.value


def load_each(load, files, refused=None):
    """What `load` makes of each file. A file that it refuses goes, with the error, to the list `refused` where there is
    one, so that the others are of use all the same."""
    loaded = []
    for file in files:
        try:
            loaded.append(load(file))
        except (InputError, OSError) as error:
            if refused is None:
                raise
            refused.append(error)
    return loaded


def told_apart(files):
    """{file: its path from the folder that holds all of them}: no page tells where on a disk that is."""
    folders = {os.path.dirname(os.path.abspath(file)) for file in files}
    return {str(file): os.path.relpath(file, os.path.commonpath(folders)) for file in files} if files else {}


def label_apart(items, ways):
    """Give each item the first label, of those that the functions `ways` make, that no other item has."""
    unlabelled = list(items)
    for way in ways:
        for item in unlabelled:
            item.label = way(item)
        labels = [item.label for item in items]
        unlabelled = [item for item in unlabelled if labels.count(item.label) > 1]
