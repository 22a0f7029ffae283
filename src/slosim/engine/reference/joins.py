"""Joins: one message of each topic, taken together as one (S58)."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from slosim.engine.reference.records import Entry

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service


class Joins:
    """What a service with `join` has put aside: by producer's message and line, in order."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.aside: dict[tuple[str, int], dict[int, list[Entry]]] = defaultdict(lambda: defaultdict(list))

    def lines_of(self, entry: Entry) -> dict[int, list[Entry]]:
        """What is put aside of the same producer's message, by line."""
        return self.aside[entry.message.producer, entry.message.number]

    def put_aside(self, entry: Entry) -> None:
        """S58: it waits in no queue for the others."""
        world = self.service.world
        entry.is_aside = True
        self.lines_of(entry)[entry.line.place].append(entry)
        first = [self.lines_of(entry)[line.place][:1] for line in self.service.lines]
        if all(first):
            self.join([one for ones in first for one in ones], last=entry)
        else:
            world.tell("set_aside", self.service.name, entry.message, entry.attempt)

    def forget(self, entry: Entry) -> None:
        """It is no longer put aside."""
        entry.is_aside = False
        self.lines_of(entry)[entry.line.place].remove(entry)

    def join(self, members: list[Entry], last: Entry) -> None:
        """S58: the message of the first topic leads and joins its queue; the others follow it."""
        world = self.service.world
        for member in members:
            self.forget(member)
            member.expires_s = math.inf
        leader, *leader.followers = members
        leader.parts = dict(last.parts)
        world.tell("joined", self.service.name, leader.message, leader.attempt)
        leader.line.note_visible(leader)
        leader.line.enqueue(leader, is_next=False)
