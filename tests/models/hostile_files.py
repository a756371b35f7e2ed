"""Ways to spoil a model's folder: its settings, its weights, and the files themselves."""

import json
import os
import shutil

KINDS = {}


def kind(function):
    """Register how a model's folder is spoilt; it may return another path to load."""
    KINDS[function.__name__] = function
    return function


def edit(folder, name, **changes):
    """Change values of a JSON file; `text_config__x` is within `text_config`."""
    path = folder / name
    values = json.loads(path.read_text())
    for key, value in changes.items():
        *outer, last = key.split("__")
        inner = values
        for each in outer:
            inner = inner[each]
        inner[last] = value
    path.write_text(json.dumps(values))


def settings(name, **changes):
    """Spoil values of a JSON file."""
    return lambda folder: edit(folder, name, **changes)


def text(name, content):
    """Replace a file."""
    return lambda folder: (folder / name).write_text(content)


CONFIG, PIXELS, WORDS = "config.json", "preprocessor_config.json", "tokenizer.json"
DEEP = "[" * 100_000 + "]" * 100_000
DEEP_OBJECT = '{"a":' * 100_000 + "1" + "}" * 100_000
KINDS |= {
    "ten million layers": settings(CONFIG, text_config__num_hidden_layers=10**7),
    "ten million image layers": settings(CONFIG, vision_config__num_hidden_layers=10**7),
    "a thousand million words": settings(CONFIG, text_config__vocab_size=10**9),
    "a thousand million labels": settings(CONFIG, num_labels=10**9),
    "a thousand million positions": settings(CONFIG, text_config__max_position_embeddings=10**9),
    "a negative size": settings(CONFIG, text_config__hidden_size=-32),
    "negative layers": settings(CONFIG, vision_config__num_hidden_layers=-1),
    "a width beyond any integer": settings(CONFIG, vision_config__hidden_size=10**400),
    "a width of 2^62": settings(CONFIG, vision_config__hidden_size=2**62),
    "a wide layer": settings(CONFIG, vision_config__intermediate_size=10**8),
    "a patch of 0": settings(CONFIG, vision_config__patch_size=0),
    "no heads": settings(CONFIG, vision_config__num_attention_heads=0),
    "heads that do not divide": settings(CONFIG, vision_config__num_attention_heads=7),
    "an image of a million pixels a side": settings(CONFIG, vision_config__image_size=10**6),
    "a list for a size": settings(CONFIG, vision_config__hidden_size=[32]),
    "a text for a size": settings(CONFIG, vision_config__hidden_size="32"),
    "a list for a part": settings(CONFIG, vision_config=[1]),
    "an unknown activation": settings(CONFIG, vision_config__hidden_act="os.system"),
    "an activation that is a list": settings(CONFIG, vision_config__hidden_act=["gelu"]),
    "a norm of NaN": settings(CONFIG, vision_config__layer_norm_eps=float("nan")),
    "an infinite dropout": settings(CONFIG, text_config__attention_dropout=float("inf")),
    "another model": settings(CONFIG, model_type="bert"),
    "a type that is a list": settings(CONFIG, model_type=["clip"]),
    "remote code": settings(CONFIG, model_type="evil", auto_map={"AutoModel": "evil.Model"}),
    "deep config": text(CONFIG, DEEP_OBJECT),
    "deep list as config": text(CONFIG, DEEP),
    "a number of 5000 digits": text(CONFIG, '{"model_type": "clip", "x": ' + "9" * 5000 + "}"),
    "a config of HTML": text(CONFIG, "<!DOCTYPE html><title>404</title>"),
    "a config that is an LFS pointer": text(
        CONFIG, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    ),
    "deep processor": text(PIXELS, DEEP_OBJECT),
    "crop of a million": settings(
        PIXELS, crop_size={"height": 10**6, "width": 10**6}, size={"shortest_edge": 10**6}
    ),
    "a crop of a million from a small image": settings(
        PIXELS, crop_size={"height": 10**6, "width": 10**6}
    ),
    "a long edge of a million": settings(PIXELS, size={"longest_edge": 10**6}),
    "a negative crop": settings(PIXELS, crop_size={"height": -32, "width": -32}),
    "no size": settings(PIXELS, size={"shortest_edge": 0}),
    "a size that is a text": settings(PIXELS, size="large"),
    "an unknown filter": settings(PIXELS, resample=99),
    "a filter that is a text": settings(PIXELS, resample="bicubic"),
    "a mean of NaN": settings(PIXELS, image_mean=[float("nan")] * 3),
    "an absurd mean": settings(PIXELS, image_mean=[1e308] * 3),
    "a mean of two": settings(PIXELS, image_mean=[0.5, 0.5]),
    "a mean that is a number": settings(PIXELS, image_mean=0.5),
    "a mean of texts": settings(PIXELS, image_mean=["a", "b", "c"]),
    "a std of 0": settings(PIXELS, image_std=[0, 1, 1]),
    "a negative std": settings(PIXELS, image_std=[-1, 1, 1]),
    "a tiny std": settings(PIXELS, image_std=[1e-300] * 3),
    "an infinite factor": settings(PIXELS, rescale_factor=float("inf")),
    "a factor that is a text": settings(PIXELS, rescale_factor="x"),
    "an unknown processor": settings(PIXELS, image_processor_type="EvilImageProcessor"),
    "deep tokenizer": text(WORDS, DEEP_OBJECT),
    "a tokenizer without a model": settings(WORDS, model=None),
    "a tokenizer of another type": settings(WORDS, model__type="Evil"),
    "an empty vocabulary": settings(WORDS, model__vocab={}),
    "words beyond the model": settings(WORDS, model__vocab={"a": 10**6, "<|endoftext|>": 10**9}),
    "negative words": settings(WORDS, model__vocab={"a": -1}),
    "merges of nothing": settings(WORDS, model__merges=[["zz", "qq"]]),
    "merges that are numbers": settings(WORDS, model__merges=[1, 2]),
    "a normaliser that recurses": settings(
        WORDS, normalizer={"type": "Sequence", "normalizers": [{"type": "Sequence"}]}
    ),
    "a pattern that explodes": settings(
        WORDS,
        pre_tokenizer={
            "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False
        },
    ),
    "a pattern that is none": settings(
        WORDS,
        pre_tokenizer={
            "type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": False
        },
    ),
    "a post-processor of unknown words": settings(
        WORDS,
        post_processor={
            "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
            "pair": [], "special_tokens": {},
        },
    ),
    "notes of deep JSON": text("streetclip.json", DEEP_OBJECT),
    "notes of HTML": text("streetclip.json", "<html>"),
    "notes that are a list": text("streetclip.json", "[]"),
    "a tokenizer class with remote code": settings(
        "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]},
        tokenizer_class="Evil",
    ),
    "deep tokenizer settings": text("tokenizer_config.json", DEEP_OBJECT),
    "tokenizer settings that are a list": text("tokenizer_config.json", "[]"),
    "no length of texts": settings("tokenizer_config.json", model_max_length=0),
    "a negative length of texts": settings("tokenizer_config.json", model_max_length=-5),
    "a length that is a text": settings("tokenizer_config.json", model_max_length="x"),
    "an added token that is a number": settings("tokenizer_config.json", pad_token=7),
}  # fmt: skip


@kind
def a_huge_tokenizer(folder):
    with (folder / WORDS).open("w") as file:
        file.write('{"model": {"vocab": {')
        file.truncate(2**32)


@kind
def a_huge_config(folder):
    with (folder / CONFIG).open("w") as file:
        file.truncate(2**32)


@kind
def a_vocabulary_of_millions(folder):
    edit(folder, WORDS, model__vocab={f"w{i}": i for i in range(3_000_000)})


@kind
def a_link_to_itself(folder):
    (folder / WORDS).unlink()
    (folder / WORDS).symlink_to(folder / WORDS)


@kind
def a_link_out_of_the_folder(folder):
    (folder / CONFIG).unlink()
    (folder / CONFIG).symlink_to("/etc/passwd")


@kind
def a_link_to_a_device(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("/dev/zero")


@kind
def a_pipe_for_weights(folder):
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


@kind
def a_pipe_for_a_card(folder):
    os.mkfifo(folder / "README.md")


@kind
def an_open_clip_folder_with_an_endless_file(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    towers = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8}, {"vocab_size": 9}
    model = {"embed_dim": 16, "vision_cfg": towers[0], "text_cfg": towers[1]}
    pixels = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": pixels})
    )
    (folder / "open_clip_model.safetensors").write_bytes(b"")
    (folder / WORDS).write_text("{}")
    (folder / "endless.json").symlink_to("/dev/zero")


@kind
def an_open_clip_folder_without_heads(folder):
    an_open_clip_folder_with_an_endless_file(folder)
    (folder / "endless.json").unlink()
    edit(folder, "open_clip_config.json", model_cfg__vision_cfg__head_width=0)


@kind
def a_folder_for_weights(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


@kind
def a_folder_for_a_config(folder):
    (folder / CONFIG).unlink()
    (folder / CONFIG).mkdir()


@kind
def a_folder_for_tokenizer_settings(folder):
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer_config.json").mkdir()


@kind
def the_parent(folder):
    (folder / "inner").mkdir()
    return folder / "inner" / ".." / ".."


@kind
def a_file_in_place_of_the_folder(folder):
    return folder / CONFIG
