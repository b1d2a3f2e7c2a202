"""Metadata conditions: which place a prefix shows, in training and in evaluation."""

from dateline.conditions.counterfactual import Condition, Conditioner, Prior, expand_conditions, parse_condition, swaps
from dateline.conditions.dropout import Conditioning, shown_fields
from dateline.conditions.template import (
    DEFAULT_FIELDS,
    FIELDS,
    PREFIX_FORMAT,
    Field,
    Metadata,
    PrefixFormat,
    chat_template,
    field_value,
    render,
    template,
)

__all__ = [
    "DEFAULT_FIELDS",
    "FIELDS",
    "PREFIX_FORMAT",
    "Condition",
    "Conditioner",
    "Conditioning",
    "Field",
    "Metadata",
    "PrefixFormat",
    "Prior",
    "chat_template",
    "expand_conditions",
    "field_value",
    "parse_condition",
    "render",
    "shown_fields",
    "swaps",
    "template",
]
