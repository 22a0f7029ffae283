"""Options that several commands share, as one parameter: typer wants every option in the signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints

from typer.models import OptionInfo


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer wants it: a parameter that is a dataclass stands as an option for each field."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    flat: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            flat |= _options_of(groups[name])
        else:
            flat[name] = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(command)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    described: Any = called
    described.__signature__ = inspect.Signature(list(flat.values()))
    called.__annotations__ = {name: parameter.annotation for name, parameter in flat.items()}
    return called


def _options_of(group: Any) -> dict[str, inspect.Parameter]:
    """A parameter for each field; help shows them together, below the first line of the group's docstring."""
    hints = get_type_hints(group, include_extras=True)
    panel = (inspect.getdoc(group) or "").partition("\n")[0].rstrip(".")
    return {
        field.name: inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=_in_panel(hints[field.name], panel),
        )
        for field in fields(group)
    }


def _in_panel(hint: Any, panel: str) -> Any:
    kind, *infos = get_args(hint)
    option = next(info for info in infos if isinstance(info, OptionInfo))
    placed = copy(option)
    placed.rich_help_panel = panel
    return Annotated[kind, placed]
