"""What the model is told about a document's origin, in training and in evaluation.

Enters: metadata of documents and names of conditions. Leaves: prefix texts.
Deliberately not done: no tokens here; a prefix is text until `dateline.tokens` encodes it apart from the body.
"""

from dateline.conditions.counterfactual import Condition, Conditioner, Prior, expand_conditions, parse_condition, swaps
from dateline.conditions.dropout import Conditioning, shown_fields
from dateline.conditions.fields import FIELDS, Field, Metadata, field_value
from dateline.conditions.template import DEFAULT_FIELDS, render

__all__ = [
    "DEFAULT_FIELDS",
    "FIELDS",
    "Condition",
    "Conditioner",
    "Conditioning",
    "Field",
    "Metadata",
    "Prior",
    "expand_conditions",
    "field_value",
    "parse_condition",
    "render",
    "shown_fields",
    "swaps",
]
