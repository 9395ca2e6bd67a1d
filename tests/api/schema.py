"""As much of JSON Schema as docs/api/openapi.json uses. What it does not know, it refuses."""

KNOWN = {"type", "properties", "required", "items", "enum", "additionalProperties", "$ref",
         "anyOf", "const", "description"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class Mismatch(AssertionError):
    pass


def look_up(doc, ref):
    assert ref.startswith("#/"), ref
    for part in ref[2:].split("/"):
        doc = doc[part]
    return doc


def check_members(doc, schema, value, where):
    properties = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in value:
            raise Mismatch("%s: no %s" % (where, name))
    for name, member in value.items():
        if name in properties:
            check(doc, properties[name], member, where + "." + name)
        elif more is False:
            raise Mismatch("%s: %s is not described" % (where, name))
        elif more is not True:
            check(doc, more, member, where + "." + name)


def fits(doc, schema, value, where):
    try:
        check(doc, schema, value, where)
    except Mismatch:
        return False
    return True


def check(doc, schema, value, where="answer"):
    unknown = set(schema) - KNOWN
    assert not unknown, "%s: the validator does not know %s" % (where, unknown)
    if "$ref" in schema:
        check(doc, look_up(doc, schema["$ref"]), value, where)
    if "anyOf" in schema and not any(fits(doc, s, value, where) for s in schema["anyOf"]):
        raise Mismatch("%s: %r is none of these" % (where, value))
    if "type" in schema and not TYPES[schema["type"]](value):
        raise Mismatch("%s: %r is no %s" % (where, value, schema["type"]))
    if "enum" in schema and value not in schema["enum"]:
        raise Mismatch("%s: %r is none of %r" % (where, value, schema["enum"]))
    if "const" in schema and value != schema["const"]:
        raise Mismatch("%s: %r is not %r" % (where, value, schema["const"]))
    if isinstance(value, dict):
        check_members(doc, schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            check(doc, schema["items"], item, "%s[%d]" % (where, i))
