"""Values that differ, of two trees."""

from resnetkit.pages.differences import differing_values


def test_a_value_that_one_side_lacks() -> None:
    found = differing_values({"optimizer": {"kind": "sgd", "momentum": 0.9}}, {"optimizer": {"kind": "adamw"}})
    assert [(d.field, d.a, d.b) for d in found] == [
        ("optimizer.kind", "sgd", "adamw"),
        ("optimizer.momentum", "0.9", None),
    ]
