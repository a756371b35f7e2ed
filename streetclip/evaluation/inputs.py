"""All that an evaluation reads, loaded and checked before the first image is decoded."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from streetclip import captions
from streetclip.config import EvaluateConfig
from streetclip.datasets.candidates import Candidates, load_candidates
from streetclip.datasets.images import check_image_dir
from streetclip.datasets.manifest import Manifest, read_manifest
from streetclip.evaluation.truth import Truth, find_truth
from streetclip.models import DualEncoder, load_encoder


@dataclass(frozen=True)
class Inputs:
    """What an evaluation works on.

    Attributes:
        config: As given.
        manifest: The test file; every row of it counts.
        candidates: The places to choose from.
        truth: Aligned with the rows of the manifest.
        encoder: The model.
        model_sha256: Of its weights.
        prompts: Patterns for countries and cities.
        drawn: Whether the images are drawn, not photographed; shown wherever they are.
    """

    config: EvaluateConfig
    manifest: Manifest
    candidates: Candidates
    truth: Truth
    encoder: DualEncoder
    model_sha256: str
    prompts: captions.PromptSet
    drawn: bool = False

    def decisive(self) -> dict[str, Any]:
        """What decides the predictions; two evaluations that agree in it are the same one."""
        return {
            "test_csv": self.manifest.sha256,
            "image_dir": str(self.config.image_dir.resolve()),
            "output_dir": str(self.config.output_dir.resolve()),
            "on_bad_rows": self.config.on_bad_rows,
            "model": self.model_sha256,
            "candidates": self.candidates.sha256,
            "prompts": self.prompts.to_dict(),
            "strategy": list(self.config.strategy),
            "precision": self.encoder.precision.name,
            "top_k": self.config.top_k,
        }

    def fingerprint(self, strategy: str) -> str:
        """Names one strategy's run of this evaluation."""
        text = json.dumps(self.decisive() | {"run": strategy}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_inputs(config: EvaluateConfig, *, drawn: bool = False) -> Inputs:
    """Read and check everything, the cheap first.

    Args:
        config: What to evaluate.
        drawn: Whether the images are drawn.
    """
    manifest = read_manifest(config.test_csv, on_bad_rows=config.on_bad_rows)
    check_image_dir(config.image_dir, manifest.frame["image_filename"].tolist())
    candidates = load_candidates(config.candidates_file)
    truth = find_truth(manifest.frame, candidates)
    chosen = None if config.prompts == "auto" else captions.load_prompts(config.prompts)
    encoder = load_encoder(
        config.model_source,
        base_model=config.model_name if config.checkpoint_path else None,
        device=config.device,
        precision=config.precision,
    )
    prompts = chosen or encoder.prompts or captions.PAPER_PROMPTS
    return Inputs(
        config, manifest, candidates, truth, encoder, encoder.sha256, prompts, drawn=drawn
    )
