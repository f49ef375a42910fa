"""In place of rpds-py, which pyodide's own distribution has: maps, sets and lists that are copied, not shared."""


class HashTrieMap(dict):
    def __init__(self, value=(), **kwargs):
        super().__init__(value, **kwargs)

    @classmethod
    def convert(cls, value):
        return value if isinstance(value, cls) else cls(value)

    def insert(self, key, value):
        return type(self)({**self, key: value})

    def update(self, *maps, **kwargs):
        made = dict(self)
        for one in maps:
            made.update(one)
        return type(self)({**made, **kwargs})

    def remove(self, key):
        return type(self)({name: value for name, value in self.items() if name != key})

    def discard(self, key):
        return self.remove(key)

    def __hash__(self):
        return hash(frozenset(self))


class HashTrieSet(frozenset):
    def insert(self, value):
        return type(self)(self | {value})

    def update(self, *many):
        return type(self)(self.union(*many))

    def remove(self, value):
        return type(self)(self - {value})


class List(tuple):
    def __new__(cls, *elements):
        return super().__new__(
            cls, elements[0] if len(elements) == 1 and hasattr(elements[0], "__iter__") else elements
        )

    def push_front(self, value):
        return List((value, *self))

    def drop_first(self):
        return List(self[1:])

    @property
    def first(self):
        return self[0]

    @property
    def rest(self):
        return List(self[1:])
