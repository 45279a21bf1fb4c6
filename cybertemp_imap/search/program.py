"""A search key taken apart into gates and leaves, and what is known so far about which messages match.

Of every key two sets are kept: the messages that surely match and those that possibly do. Answering a leaf narrows
the difference, the gates pass that on, and what is still open at the top decides what must be read next: a message is
asked about only as long as the answer can still change the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cybertemp_imap.pace import Pace
from cybertemp_imap.protocol.search_key import KeyAnd, KeyNot, KeyOr, SearchKey
from cybertemp_imap.search.leaf import Leaf, Scope, leaf_of


class Gate(Enum):
    """How a key follows from the keys in it."""

    LEAF = "is answered itself"
    ALL = "all of them match"
    ANY = "any of them matches"
    NOT = "the only one does not match"


@dataclass(frozen=True, slots=True)
class Node:
    """A key: a gate over nodes that come before it, given by their index, or a leaf."""

    gate: Gate
    inputs: tuple[int, ...] = ()
    leaf: Leaf | None = None


def program_of(key: SearchKey, scope: Scope) -> list[Node]:
    """Take a key apart; inputs come before the gates they enter, the key itself is last. Equal leaves are one node."""
    nodes: list[Node] = []
    leaves: dict[SearchKey, int] = {}

    def place(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def add(key: SearchKey) -> int:
        # As deep as the grammar lets keys nest.
        if isinstance(key, KeyAnd):
            return place(Node(Gate.ALL, tuple(dict.fromkeys(add(inner) for inner in key.keys))))
        if isinstance(key, KeyOr):
            return place(Node(Gate.ANY, (add(key.left), add(key.right))))
        if isinstance(key, KeyNot):
            return place(Node(Gate.NOT, (add(key.key),)))
        if key not in leaves:
            leaves[key] = place(Node(Gate.LEAF, leaf=leaf_of(key, scope)))
        return leaves[key]

    add(key)
    return nodes


class Answers:
    """What is known about the messages of a chunk: for each node, those that ``sure``-ly and ``possible``-ly match.

    ``present`` are the messages that are still there; no others are asked about or found.
    """

    __slots__ = ("_everyone", "_possible", "_program", "_sure", "present")

    def __init__(self, program: list[Node], everyone: int, present: int) -> None:
        self._program = program
        self._everyone = everyone
        self.present = present
        self._sure = [0] * len(program)
        self._possible = [everyone] * len(program)

    def answer(self, index: int, asked: int, matching: int) -> None:
        """Take note of a leaf's answer: of the messages ``asked`` about, the ``matching`` ones match, others do not."""
        self._sure[index] |= asked & matching
        self._possible[index] &= matching | (self._everyone ^ asked)

    async def settle(self, pace: Pace) -> None:
        """Carry the answers of the leaves through all gates."""
        for index, node in enumerate(self._program):
            if node.gate is not Gate.LEAF:
                self._settle(index, node)
            if pace.spent:
                await pace.breathe()

    def _settle(self, index: int, node: Node) -> None:
        sure, possible = self._sure, self._possible
        if node.gate is Gate.NOT:
            (only,) = node.inputs
            surely, possibly = self._everyone ^ possible[only], self._everyone ^ sure[only]
        elif node.gate is Gate.ALL:
            surely = possibly = self._everyone
            for each in node.inputs:
                surely &= sure[each]
                possibly &= possible[each]
        else:
            surely = possibly = 0
            for each in node.inputs:
                surely |= sure[each]
                possibly |= possible[each]
        sure[index], possible[index] = surely, possibly

    @property
    def found(self) -> int:
        """The messages that surely match the whole key."""
        return self._sure[-1] & self.present

    @property
    def open(self) -> int:
        """The messages of which it is not known whether they match."""
        return self._open(len(self._program) - 1) & self.present

    def open_questions(self) -> list[int]:
        """Return for each node the messages that it must be asked about; none where no answer would matter."""
        asked = [0] * len(self._program)
        asked[-1] = self.open
        for index in range(len(self._program) - 1, -1, -1):
            if asked[index]:
                for each in self._program[index].inputs:
                    asked[each] |= asked[index] & self._open(each)
        return asked

    def _open(self, index: int) -> int:
        # What is sure is possible.
        return self._possible[index] ^ self._sure[index]
