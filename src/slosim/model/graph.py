"""Who can reach whom along messages: the graph of services, and the flows it implies.

Works on scenarios whose references are not all valid: what is not declared is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from slosim.model.topology import Producer, Service, Topic

Arrows = Mapping[str, Collection[str]]


def emitted_topics(service: Service) -> tuple[str, ...]:
    """Topics that a success of the service can publish to, each once."""
    names = [emit.topic for emit in service.emits if emit.probability > 0]
    names += [branch.topic for branch in service.choose if branch.share > 0]
    return tuple(dict.fromkeys(names))


def consumers(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    """Services of each consumed topic, in the order of the file."""
    found: dict[str, list[str]] = {}
    for name, service in services.items():
        for topic in service.consumes:
            found.setdefault(topic, []).append(name)
    return {topic: tuple(names) for topic, names in found.items()}


def service_arrows(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    """Arrows from each service to those that consume what it emits; dead letters are not followed."""
    taken_by = consumers(services)
    return {
        name: tuple(
            dict.fromkeys(taker for topic in emitted_topics(service) for taker in taken_by.get(topic, ()))
        )
        for name, service in services.items()
    }


def flow_arrows(
    services: Mapping[str, Service], topics: Mapping[str, Topic], taken_by: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Arrows of services along emits and dead letters, of which a declared flow may make use.

    taken_by  services to which the messages of each topic go
    """
    arrows = {}
    for name, service in services.items():
        emitted = emitted_topics(service)
        ways = [*emitted, service.dead_letter]
        ways += [topics[one].dead_letter for one in (*service.consumes, *emitted) if one in topics]
        arrows[name] = tuple(
            dict.fromkeys(taker for topic in ways if topic for taker in taken_by.get(topic, ()))
        )
    return arrows


def published_topics(
    producers: Mapping[str, Producer], services: Mapping[str, Service], topics: Mapping[str, Topic]
) -> set[str]:
    """Topics that somebody publishes to, dead letters included."""
    found = {producer.topic for producer in producers.values()}
    for service in services.values():
        found.update(emitted_topics(service))
    found.update(part.dead_letter for part in (*services.values(), *topics.values()) if part.dead_letter)
    return found


def reachable(starts: Iterable[str], arrows: Arrows) -> dict[str, None]:
    """The starts and everything along the arrows, as an ordered set."""
    found = dict.fromkeys(starts)
    waiting = list(found)
    while waiting:
        for name in arrows.get(waiting.pop(), ()):
            if name not in found:
                found[name] = None
                waiting.append(name)
    return found


def reverse(arrows: Arrows) -> dict[str, list[str]]:
    """The same arrows, the other way round."""
    found: dict[str, list[str]] = {}
    for name, following in arrows.items():
        for after in following:
            found.setdefault(after, []).append(name)
    return found


def components(arrows: Arrows) -> list[tuple[str, ...]]:
    """Strongly connected components (Tarjan), each in the order in which it was found; without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    result: list[tuple[str, ...]] = []
    for root in arrows:
        if root in index:
            continue
        work = [(root, iter(arrows[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, following = work[-1]
            after = next((one for one in following if one in arrows), None)
            if after is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    cut = stack.index(name)
                    result.append(tuple(stack[cut:]))
                    on_stack.difference_update(stack[cut:])
                    del stack[cut:]
            elif after not in index:
                index[after] = low[after] = len(index)
                stack.append(after)
                on_stack.add(after)
                work.append((after, iter(arrows[after])))
            elif after in on_stack:
                low[name] = min(low[name], index[after])
    return result


def last_services(starts: Iterable[str], services: Mapping[str, Service]) -> tuple[str, ...]:
    """The last services reachable from `starts`, in the order of the file.

    Last is a service from which no message goes on to another service; of a cycle without an exit, all its
    services.
    """
    arrows = service_arrows(services)
    inside = reachable(starts, arrows)
    last: set[str] = set()
    for component in components({name: arrows[name] for name in services if name in inside}):
        leaving = {after for name in component for after in arrows[name]} - set(component)
        if not leaving:
            last.update(component)
    return tuple(name for name in services if name in last)
