"""Measure float32 against bfloat16 by the width of a model's towers: encoding and training.

    python benchmarks/measure_precision.py [--widths 32 64 128] [--rounds 5]

Both formats take turns in one process, on random weights and pixels. These figures support the
rule of `streetclip.models.precision`.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from transformers import CLIPConfig, CLIPModel

FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    """Print a line for each width."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256, 512, 768])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--patch_size", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    native = [k for k, v in torch.cpu.get_capabilities().items() if "bf16" in k and v]
    print(
        f"bfloat16 instructions: {', '.join(native) or 'none'}; {torch.get_num_threads()} threads"
    )
    print("times bfloat16 is as fast as float32 (least to most of the rounds)")
    for width in args.widths:
        model = build_model(width, args)
        encode = ratios(lambda dtype, m=model: encode_images(m, dtype, args), args.rounds)
        train = ratios(lambda dtype, m=model: train_step(m, dtype, args), args.rounds)
        print(f"width {width:4d}: encoding {encode}, training {train}", flush=True)


def build_model(width: int, args: argparse.Namespace) -> CLIPModel:
    """Make a CLIP with random weights whose towers have one width."""
    heads = max(1, width // 64)
    shape = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": heads,
        "num_hidden_layers": args.layers,
        "projection_dim": width,
    }
    text = {"vocab_size": 1000, "max_position_embeddings": 77, "eos_token_id": 999}
    vision = {"image_size": args.image_size, "patch_size": args.patch_size}
    config = CLIPConfig(
        text_config=shape | text, vision_config=shape | vision, projection_dim=width
    )
    return CLIPModel(config)


def ratios(work: Callable[[torch.dtype], None], rounds: int) -> str:
    """Time both formats in turn, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in FORMATS}
    for number in range(rounds + 1):
        for name, dtype in FORMATS.items():
            began = time.process_time()
            work(dtype)
            if number:
                seconds[name].append(time.process_time() - began)
    faster = [a / b for a, b in zip(seconds["fp32"], seconds["bf16"], strict=True)]
    return f"{statistics.median(faster):.2f} ({min(faster):.2f}-{max(faster):.2f})"


def encode_images(model: CLIPModel, dtype: torch.dtype, args: argparse.Namespace) -> None:
    """Encode some batches with weights cast once, as an evaluation does."""
    from streetclip.models.encoder import ImageTower

    tower = ImageTower(model.eval(), dtype)
    pixels_BCHW = torch.rand(args.batch_size, 3, args.image_size, args.image_size)
    mixed = dtype != torch.float32
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        compute = tower.under_autocast if mixed else tower
        with tower.fixed_weights():
            for _ in range(8):
                compute(pixel_values=pixels_BCHW)


def train_step(model: CLIPModel, dtype: torch.dtype, args: argparse.Namespace) -> None:
    """Do two steps of a contrastive training with AdamW."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    pixels_BCHW = torch.rand(args.batch_size, 3, args.image_size, args.image_size)
    tokens_BT = torch.randint(1, 998, (args.batch_size, 16))
    tokens_BT[:, -1] = 999
    for _ in range(2):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype != torch.float32):
            images = model.get_image_features(pixel_values=pixels_BCHW).pooler_output
            texts = model.get_text_features(input_ids=tokens_BT).pooler_output
        logits_BB = images.float() @ texts.float().T
        torch.nn.functional.cross_entropy(logits_BB, torch.arange(len(logits_BB))).backward()
        optimizer.step()
        optimizer.zero_grad()


if __name__ == "__main__":
    main()
