"""From keys and values to a configuration, or one line that says what is wrong with them."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from empirical.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


def parse_settings(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The configuration that `values` describe; UsageError, in one line, if they do not."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise usage_error(error, model) from None


def usage_error(error: ValidationError, model: type[BaseModel]) -> UsageError:
    """Every complaint of pydantic about `model` as one line.

    Reads "got X for KEY, wanted ...; change it"; nested keys are joined by dots, and an unknown
    key is shown with the known ones and the closest of them.
    """
    # Without the inputs' own URLs and contexts a detail is a plain dictionary.
    return UsageError("; ".join(_complaint(dict(detail), model) for detail in error.errors()))


def _complaint(detail: dict[str, Any], model: type[BaseModel]) -> str:
    keys, owners = _follow(tuple(detail["loc"]), model)
    key = ".".join(keys) or "the settings"
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            known = sorted(owners[0].model_fields)
            close = difflib.get_close_matches(keys[-1], known, n=1)
            advice = f"did you mean {close[0]}?" if close else "leave it out"
            return f"got the unknown key {key}, wanted one of {', '.join(known)}; {advice}"
        case "missing":
            return f"got no value for {key}, wanted one; give it"
        case "value_error":  # the models' own validators say what came and what was wanted
            return f"{context['error']}; change it"
        case "union_tag_invalid":
            field = context["discriminator"].strip("'")
            wanted = context["expected_tags"]
            return f"got {context['tag']!r} for {key}.{field}, wanted one of {wanted}; change it"
        case "union_tag_not_found":
            field = context["discriminator"].strip("'")
            wanted = ", ".join(repr(tag) for owner in owners for tag in _tags(owner, field))
            return f"got no value for {key}.{field}, wanted one of {wanted}; give it"
        case _:
            wanted = detail["msg"].removeprefix("Input should be ")
            return f"got {detail['input']!r} for {key}, wanted {wanted}; change it"


def _follow(
    path: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys of a path without the tags of unions, and the models it ends in.

    pydantic's path names a member of a tagged union by its tag, which is no key of the user's.
    """
    keys: list[str] = []
    owners = [model]
    for part in path:
        fields = [owner.model_fields[part] for owner in owners if part in owner.model_fields]
        tagged = [owner for owner in owners if len(owners) > 1 and part in _tags(owner, "name")]
        if tagged:
            owners = tagged
            continue
        keys.append(str(part))
        if fields:
            owners = _models_in(fields[0].annotation) or owners
    return keys, owners


def _tags(owner: type[BaseModel], field: str) -> tuple[Any, ...]:
    return get_args(owner.model_fields[field].annotation) if field in owner.model_fields else ()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names, also inside unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]
