"""The header of a model card, from which the hub knows where a model comes from."""

from streetclip.hub_ids import looks_like_hub_id

# Hub identifiers of the licences that a model trained from these inherits. Without an entry the
# card states none.
_LICENCES = {"geolocal/StreetCLIP": "cc-by-nc-4.0"}


def card_header(base_model: str) -> str:
    """Make the YAML header of a model card, with base model and licence where they are known.

    Args:
        base_model: What training began from; a local path is left out, as it means nothing to
            others.

    Examples:
        >>> print(card_header("geolocal/StreetCLIP"))
        ---
        library_name: transformers
        pipeline_tag: zero-shot-image-classification
        tags: [geolocalization, streetclip]
        base_model: geolocal/StreetCLIP
        license: cc-by-nc-4.0
        ---
    """
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: zero-shot-image-classification",
        "tags: [geolocalization, streetclip]",
    ]
    if "/" in base_model and looks_like_hub_id(base_model):
        lines.append(f"base_model: {base_model}")
    if base_model in _LICENCES:
        lines.append(f"license: {_LICENCES[base_model]}")
    return "\n".join([*lines, "---"])
