"""What a gallery or a triage form is given, read from a page that AppTest has run."""

import json


def data_of(page, part):
    """The data of the component that has a part, such as "cards" or "image"; None without one."""
    components = [each.proto for each in page.main if each.type == "bidi_component"]
    found = [json.loads(each.json) for each in components if each.json]
    return next((each for each in found if part in each), None)


def cards_of(page):
    """The cards that are drawn, in order."""
    return data_of(page, "cards")["cards"]
