"""What keeps a service from taking: faults (rules S32, S33) and its rate limit (rule S25)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import leaf, rule


@leaf
def move_on(S, target, now):
    """Find the row of `effects` that is in force for a service, an instance or a dependency."""
    row = target.effect
    while row + 1 < target.first_effect + target.effect_count and S.effects[row + 1].at <= now:
        row += 1
    target.effect = row
    target.effect_until = S.effects[row].until
    target.paused = S.effects[row].paused


@rule
def find_effect(S, service, now):
    """`move_on` for a service."""
    move_on(S, service, now)


@leaf
def token_at(service):
    """The earliest time at which a token is there, s."""
    return service.next_token - (service.token_burst - 1.0) * service.token_interval


@leaf
def is_open(S, service, now):
    """May the service start an attempt now, as far as pauses and tokens go?"""
    if now >= service.effect_until:
        find_effect(S, service, now)
    return service.paused == 0 and (service.token_interval == 0.0 or now >= token_at(service))


@leaf
def spend_token(service, now):
    if service.token_interval > 0.0:
        service.next_token = max(now, service.next_token) + service.token_interval


@rule
def wake_later(S, g, s):
    """A closed gate with a message before it: look again when the pause ends or the token comes."""
    service = S.services[s]
    if S.messages[s].heap >= 0:
        return
    time = service.effect_until if service.paused != 0 else token_at(service)
    schedule_rare(S, S.groups[g], s, time, P.SERVICE_WAKES)
