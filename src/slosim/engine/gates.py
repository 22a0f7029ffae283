"""What keeps a service from taking: faults (rules S32, S33) and its rate limit (rule S25)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import leaf, rule


@rule
def find_effect(S, service, now):
    """Move on to the row of `effects` that is in force."""
    row = service.effect
    while row + 1 < service.first_effect + service.effect_count and S.effects[row + 1].at <= now:
        row += 1
    service.effect = row
    service.effect_until = S.effects[row].until
    service.paused = S.effects[row].paused


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
def wake_later(S, g, s, now):
    """A closed gate with a message before it: look again when the pause ends or the token comes."""
    service = S.services[s]
    if S.messages[s].heap >= 0:
        return
    time = service.effect_until if service.paused != 0 else token_at(service)
    schedule_rare(S, S.groups[g], s, time, P.SERVICE_WAKES)
