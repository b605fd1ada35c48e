"""What the description of the API can't say: parameters that exclude each other.

OpenAPI describes each parameter by itself. The API refuses requests that contradict
themselves (`at` with `since`, a beginning after the end), and rightly so; what must be
accepted is therefore sent without such a second one.
"""

import schemathesis
from schemathesis import GenerationMode

# Which leaves which others out.
EXCLUDES = {
    "at": ("since", "from", "to"),
    "since": ("from", "to"),
    "from": ("to",),
    "tail": ("head",),
    "previous": ("instance",),
}

# Times have any year in a description. ClickHouse's calendar has not, and questions are about the past.
TIMES = ("at", "from", "to")
YEARS = range(1971, 2026)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    for name in TIMES:
        value = str(case.query.get(name, "")) if case.query else ""
        if value and not (value[:4].isdigit() and int(value[:4]) in YEARS):
            case.query.pop(name)
    for name, others in EXCLUDES.items():
        if case.query and name in case.query:
            for other in others:
                case.query.pop(other, None)
