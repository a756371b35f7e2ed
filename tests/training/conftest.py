"""A small training: a CLIP with dropout, plain-coloured photos of three countries."""

import contextlib
import dataclasses
import functools
import re
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from streetclip.config import TrainConfig
from streetclip.models.text_reader import TextReader
from streetclip.store import list_trainings, open_store, training_curves

IMAGE_SIZE = 16
PLACES = [
    ("Paris", "Île-de-France", "France", "Europe"),
    ("Lyon", "", "France", "Europe"),
    ("Tbilisi", "", "Georgia", "Asia"),
    ("Lima", "Lima", "Peru", "South America"),
]
COLOURS = {"France": (200, 40, 40), "Georgia": (40, 200, 40), "Peru": (40, 40, 200)}


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> Path:
    """A CLIP of 1 + 2 layers with dropout, as a Hugging Face folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        PreTrainedTokenizerFast,
    )

    words = sorted({w for place in PLACES for p in place for w in p.split()})
    words += ["A", "Street", "View", "photo", "close", "to", "the", "town", "of", "in", "region"]
    vocab = {w: i for i, w in enumerate(["<pad>", "<unk>", ".", *dict.fromkeys(words), "<end>"])}
    bare = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    bare.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", vocab["<end>"])]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        model_max_length=24,
        model_input_names=["input_ids", "attention_mask"],
    )
    shape = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    shape["attention_dropout"] = 0.1
    text = {"vocab_size": len(vocab), "max_position_embeddings": 24, "num_hidden_layers": 1}
    text |= {"eos_token_id": vocab["<end>"], "bos_token_id": 0, "pad_token_id": 0}
    vision = {"image_size": IMAGE_SIZE, "patch_size": 8, "num_hidden_layers": 2}
    torch.manual_seed(3)
    config = CLIPConfig(text_config=shape | text, vision_config=shape | vision, projection_dim=8)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": IMAGE_SIZE}, crop_size=IMAGE_SIZE).save_pretrained(
        folder
    )
    return folder


@dataclasses.dataclass
class World:
    """Files of a training, and a configuration that names them."""

    folder: Path
    model: Path
    precision: str = "fp32"

    def write_split(self, name: str, num_images: int) -> Path:
        """Draw photos and their manifest."""
        random = np.random.default_rng(len(name))
        rows = ["image_filename,city,region,country,continent"]
        for index in range(num_images):
            city, region, country, continent = PLACES[index % len(PLACES)]
            noise = random.integers(-30, 30, (20, 23, 3))
            pixels = np.clip(np.array(COLOURS[country]) + noise, 0, 255).astype(np.uint8)
            filename = f"{name}{index}.png"
            (self.folder / "images").mkdir(exist_ok=True)
            PIL.Image.fromarray(pixels).save(self.folder / "images" / filename)
            rows.append(f"{filename},{city},{region},{country},{continent}")
        path = self.folder / f"{name}.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    def config(self, **changes) -> TrainConfig:
        """Settings that learn the three colours in a moment."""
        settings = {
            "train_csv": self.folder / "train.csv",
            "val_csv": self.folder / "val.csv",
            "image_dir": self.folder / "images",
            "output_dir": self.folder / "out",
            "db": self.folder / "store.db",
            "model_name": str(self.model),
            "batch_size": 6,
            "num_epochs": 3,
            "learning_rate": 3e-3,
            "num_workers": 0,
            "device": "cpu",
            "precision": self.precision,
            "templates": ("full",),
        }
        return TrainConfig(**(settings | changes))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory, tiny_clip) -> World:
    """26 training images (4 full batches of 6, and 2 over) and 11 validation images."""
    made = World(tmp_path_factory.mktemp("drawn"), tiny_clip)
    made.write_split("train", 26)
    made.write_split("val", 11)
    return made


@pytest.fixture
def world(tmp_path, drawn, precision) -> World:
    """Copy the drawn images, to be changed at will."""
    shutil.copytree(drawn.folder, tmp_path, dirs_exist_ok=True)
    return World(tmp_path, drawn.model, precision)


def run_training(config, progress=None, job_id=None):
    """Do what the job does; `progress` is told of the steps. Give the result and the encoder."""
    from streetclip.data.manifest import read_manifest
    from streetclip.models.loading import load_encoder
    from streetclip.progress import no_progress
    from streetclip.training.loop import train

    def stages(task, _unit):
        return contextlib.nullcontext(progress if progress and task == "train" else no_progress)

    encoder = load_encoder(config.model_name, device=config.device, precision=config.precision)
    manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
    with open_store(config.db) as database:
        result = train(config, *manifests, encoder, database, stages, job_id=job_id)
    return result, encoder


def stop_at(step):
    """A progress that presses Ctrl-C when a step is done."""

    def progress(done, total, **numbers):
        if done == step:
            raise KeyboardInterrupt

    return progress


def curves_of(config):
    with open_store(config.db, read_only=True) as store:
        trainings = list_trainings(store)
        frame = training_curves(store, int(trainings["id"].iloc[0]))
    of_the_machine = frame["name"].isin(["images_per_s", "memory_mib"])
    return trainings, frame[~of_the_machine].reset_index(drop=True)


def weights(encoder):
    return {name: value.clone() for name, value in encoder.model.state_dict().items()}


@pytest.fixture(scope="session")
def undisturbed(drawn, tmp_path_factory):
    """Train without a stop, once in each precision: result, weights, curves and settings."""

    @functools.cache
    def train(precision):
        folder = tmp_path_factory.mktemp("whole")
        config = dataclasses.replace(drawn, precision=precision).config(
            output_dir=folder / "whole", db=folder / "whole.db"
        )
        result, encoder = run_training(config)
        return result, weights(encoder), curves_of(config)[1], config

    return train


class WordTokenizer:
    """One token a word, in any case, between a start and an end token."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def __call__(self, texts, *, truncation=False, max_length=None, **_options):
        rows = []
        for text in texts:
            words = re.findall(r"\w+|[^\w\s]", text.lower())
            row = [0, *(self.ids.setdefault(word, len(self.ids) + 2) for word in words), 1]
            cut = truncation and len(row) > max_length
            rows.append([*row[: max_length - 1], 1] if cut else row)
        return {"input_ids": rows}


def word_reader(max_tokens=10**6):
    """Make a reader of so many words of a text."""
    return TextReader(WordTokenizer(), {"max_length": max_tokens})
