"""What is sized: each path that varies, its values from small to large, and what one more of it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from slosim.errors import UserError
from slosim.experiments.vary import Axis, parse_axis
from slosim.model import Scenario
from slosim.model.paths import NAMED_SECTIONS
from slosim.model.values import Mistake, listed, nearest, parse_number
from slosim.report.units import enumeration

PRICE_UNKNOWN = 1.0
"""Of an instance whose service states no price."""
SIZED = ("services", "topics", "dependencies")
"""Sections of a scenario that have a size; the others are what it must stand."""
PRICE_MOST = 1e12
"""Of `--cost`: beyond it an amount is a mistake, and its sums are no longer exact."""
PER_HOUR, INSTANCES = "per_h", "instances"
Position = tuple[int, ...]
"""A configuration: for each dimension the index of its value."""


class Dimension(NamedTuple):
    """One path that is sized.

    values   as written in a file, smallest first; one that is larger is taken to be never worse
    numbers  the same as numbers; None where they are none, then `values` are in the order of --vary
    price    of one unit of the value; 0 where it costs nothing
    service  whose instances these are; empty for another path
    """

    path: str
    values: tuple[str, ...]
    numbers: tuple[float, ...] | None
    price: float
    service: str

    @property
    def word(self) -> str:
        """The service, or the path."""
        return self.service or self.path

    def cost(self, index: int) -> float:
        return 0.0 if self.numbers is None else self.price * self.numbers[index]

    def plain(self, index: int) -> int | float | str:
        """A value as JSON has it."""
        if self.numbers is None:
            return self.values[index]
        number = self.numbers[index]
        return int(number) if number == int(number) else number

    def index_of(self, value: Any) -> int | None:
        """Where a value of a resolved scenario stands among those that are tried."""
        return next((index for index in range(len(self.values)) if self.plain(index) == value), None)


class Dimensions(NamedTuple):
    """All dimensions; notes: what a reader should know about what is sized and its cost."""

    items: list[Dimension]
    cost_unit: str
    notes: list[str]

    def cost(self, position: Position) -> float:
        """Of all that is sized together; rounded so that equal sums are equal."""
        return round(sum(one.cost(index) for one, index in zip(self.items, position, strict=True)), 9)

    def plain(self, position: Position) -> dict[str, Any]:
        return {one.path: one.plain(index) for one, index in zip(self.items, position, strict=True)}

    def changes(self, position: Position) -> list[str]:
        """As `--set` takes them."""
        return [f"{one.path}={one.values[index]}" for one, index in zip(self.items, position, strict=True)]


def neighbours(position: Position) -> Iterator[Position | None]:
    """The position with one step less of each dimension, None where there is no less."""
    for axis, index in enumerate(position):
        yield with_index(position, axis, index - 1) if index else None


def with_index(position: Position, axis: int, index: int) -> Position:
    return (*position[:axis], index, *position[axis + 1 :])


def dimensions_of(vary: Iterable[str], costs: Iterable[str], scenario: Scenario) -> Dimensions:
    """The dimensions of `PATH=VALUES` texts, `*` being each name by itself, with `PATH=AMOUNT` as costs.

    Raises:
        ScenarioError: a path that leads nowhere, or values that its field cannot take.
        UserError: a path that is varied twice or cannot be sized; a cost of what is not varied.
    """
    axes, notes = _axes(list(vary), scenario)
    prices = _prices(costs, [axis.path for axis in axes], scenario)
    items = [_dimension(axis, prices.get(axis.path), scenario) for axis in axes]
    unpriced = [one.service for one in items if one.service and _is_unpriced(one, prices, scenario)]
    has_price = bool(prices) or any(one.service and one.service not in unpriced for one in items)
    if unpriced:
        notes.append(f"{enumeration(unpriced)} without cost_per_instance_hour: an instance counts as 1.")
    free = [one.path for one in items if not one.service and one.path not in prices]
    if free:
        notes.append(f"{enumeration(free)} costs nothing (--cost PATH=AMOUNT): the smallest is taken.")
    return Dimensions(items, PER_HOUR if has_price else INSTANCES, notes)


def _is_unpriced(one: Dimension, prices: Mapping[str, float], scenario: Scenario) -> bool:
    return one.path not in prices and scenario.services[one.service].cost_per_instance_hour is None


def _axes(vary: Sequence[str], scenario: Scenario) -> tuple[list[Axis], list[str]]:
    """Axes without `*`, in the order written; a path written by itself wins over a `*` that covers it."""
    if not vary:
        raise UserError("nothing to size: say what may vary, e.g. --vary 'services.*.instances=1..20'")
    own = [axis for text in vary if not _has_star(text) for axis in _of_one(text, scenario)]
    starred = [axis for text in vary if _has_star(text) for axis in _of_one(text, scenario)]
    for axes in (own, starred):
        paths = [axis.path for axis in axes]
        for path in paths:
            if paths.count(path) > 1:
                raise UserError(f"--vary {path}: is varied twice; list all its values in one --vary")
    alone = {axis.path for axis in own}
    axes = own + [axis for axis in starred if axis.path not in alone]
    if not axes:
        raise UserError("nothing to size: an autoscaler sets the instances of every service")
    written = [path for text in vary for path in named(text.partition("=")[0].strip(), scenario)]
    axes.sort(key=lambda axis: written.index(axis.path) if axis.path in written else -1)
    left_out = [service for path in written if (service := _autoscaled(path, scenario))]
    notes = [f"{enumeration(left_out)} autoscaled: the instances are not sized."] if left_out else []
    return axes, notes


def _of_one(text: str, scenario: Scenario) -> list[Axis]:
    """The axes of one `PATH=VALUES`, without the instances of autoscaled services that its `*` matches.

    Raises:
        UserError: it names the instances of an autoscaled service.
    """
    path, _, values = text.partition("=")
    section = path.strip().partition(".")[0].partition("[")[0]
    if section in Scenario.__dataclass_fields__ and section not in SIZED:
        raise UserError(f"--vary {path}: is no size of the system; sized are {enumeration(list(SIZED))}")
    paths = named(path.strip(), scenario)
    kept = [one for one in paths if not _autoscaled(one, scenario)]
    if len(kept) == len(paths):
        axis = parse_axis(text, scenario)
        return [Axis(one, axis.values) for one in paths] if _has_star(text) else [axis]
    if not _has_star(text):
        service = _autoscaled(path.strip(), scenario)
        raise UserError(
            f"--vary {path}: an autoscaler sets the instances of {service}; vary"
            f" services.{service}.autoscale.minimum or .maximum"
        )
    return [parse_axis(f"{one}={values}", scenario) for one in kept]


def _autoscaled(path: str, scenario: Scenario) -> str:
    """The autoscaled service whose instances a path sets, else empty."""
    service = service_of(path, scenario)
    return service if service and scenario.services[service].autoscale is not None else ""


def _has_star(path: str) -> bool:
    return path.partition(".")[2].startswith("*")


def named(path: str, scenario: Scenario) -> list[str]:
    """The path for each name that its `*` matches, itself without one."""
    section, _, rest = path.partition(".")
    if not _has_star(path) or section not in NAMED_SECTIONS:
        return [path]
    return [f"{section}.{name}{rest[1:]}" for name in getattr(scenario, section)]


def service_of(path: str, scenario: Scenario) -> str:
    """The service whose instances a path sets, else empty."""
    name = path.removeprefix("services.").removesuffix(".instances")
    return name if path == f"services.{name}.instances" and name in scenario.services else ""


def _dimension(axis: Axis, price: float | None, scenario: Scenario) -> Dimension:
    service = service_of(axis.path, scenario)
    numbers = _numbers(axis.values)
    if price is not None and numbers is None:
        raise UserError(f"--cost {axis.path}: its values are no numbers that an amount could multiply")
    if price is None and service:
        stated = scenario.services[service].cost_per_instance_hour
        price = PRICE_UNKNOWN if stated is None else stated
    values = axis.values
    if numbers is not None:
        numbers, values = zip(*sorted(zip(numbers, values, strict=True)), strict=True)
    return Dimension(axis.path, tuple(values), numbers, price or 0.0, service)


def _numbers(values: Sequence[str]) -> tuple[float, ...] | None:
    try:
        return tuple(float(Decimal(value)) for value in values)
    except InvalidOperation:
        return None


def _prices(costs: Iterable[str], paths: Sequence[str], scenario: Scenario) -> dict[str, float]:
    """The amount of each path that `PATH=AMOUNT` names."""
    prices: dict[str, float] = {}
    for text in costs:
        path, _, amount = text.rpartition("=")
        try:
            price = parse_number(amount.strip())
        except Mistake as mistake:
            raise UserError(
                f"--cost {text}: {mistake.what}, expected PATH=AMOUNT, for example {paths[0]}=0.12"
            ) from None
        if price > PRICE_MOST:
            raise UserError(
                f"--cost {path.strip()}: expected at most 1e12, got {amount.strip()}; in a larger unit"
            )
        named_here = named(path.strip(), scenario)
        for one in [one for one in named_here if one in paths] or named_here:
            if one not in paths:
                close = nearest(one, paths)
                hint = f"; did you mean {close}?" if close else ""
                raise UserError(f"--cost {one}: is not varied; varied: {listed(paths)}{hint}")
            prices[one] = price
    return prices


def value_at(resolved: Any, path: str) -> Any:
    """What a resolved scenario has at a path, None where nothing is; the longest name wins, as in --set."""
    if not path:
        return resolved
    if isinstance(resolved, dict):
        keys = [key for key in resolved if path == key or path.startswith((f"{key}.", f"{key}["))]
        key = max(keys, key=len, default=None)
        return None if key is None else value_at(resolved[key], path[len(key) :].removeprefix("."))
    if isinstance(resolved, list) and path.startswith("["):
        for index, item in enumerate(resolved):
            for name in (str(index), item.get("name") if isinstance(item, dict) else None):
                if name is not None and path.startswith(f"[{name}]"):
                    return value_at(item, path[len(name) + 2 :].removeprefix("."))
    return None


def shown(plain: Mapping[str, Any], scenario_services: Iterable[str]) -> str:
    """`6 x payment, 2 x orders, topics.payments.partitions=12`."""
    services = {f"services.{name}.instances": name for name in scenario_services}
    return ", ".join(
        f"{value} x {services[path]}" if path in services else f"{path}={value}"
        for path, value in plain.items()
    )
