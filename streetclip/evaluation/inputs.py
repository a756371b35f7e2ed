"""Load and check the inputs of an evaluation."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from streetclip import __version__
from streetclip.captions.prompts import PAPER_PROMPTS, PromptSet, load_prompts
from streetclip.config import EvaluateConfig
from streetclip.data.candidates import Candidates, load_candidates
from streetclip.data.decoding import check_image_dir
from streetclip.data.manifest import Manifest, read_manifest
from streetclip.evaluation.true_places import Truth, find_truth
from streetclip.launch_env import ALONE, Ranks
from streetclip.models import DualEncoder, load_encoder
from streetclip.models.identity import ModelIdentity, identify
from streetclip.models.preprocessing import Preprocess
from streetclip.runtime.distributed import own_device


@dataclass(frozen=True)
class Inputs:
    """Inputs of an evaluation."""

    config: EvaluateConfig
    manifest: Manifest  # every row of the test file counts
    candidates: Candidates
    truth: Truth  # aligned with the rows of the manifest
    encoder: DualEncoder
    identity: ModelIdentity
    prompts: PromptSet
    drawn: bool = False  # drawn images, not photographs

    @property
    def preprocess(self) -> Preprocess:
        """Get the preprocess that the settings ask for."""
        encoder = self.encoder
        return encoder.preprocess if self.config.exact_preprocessing else encoder.fast_preprocess

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the predictions."""
        return self._of_features() | {
            # Another version may read labels, places and coordinates differently.
            "streetclip_version": __version__,
            "image_dir": str(self.config.image_dir.resolve()),
            "output_dir": str(self.config.output_dir.resolve()),
            "candidates": self.candidates.sha256,
            "prompts": self.prompts.to_dict(),
            "strategy": list(self.config.strategy),
            "top_k": self.config.top_k,
        }

    def shared(self) -> dict[str, Any]:
        """Collect what cooperating processes must have in common."""
        return self._of_features() | {"batch_size": self.config.batch_size}

    def _of_features(self) -> dict[str, Any]:
        return {
            **self.identity.to_dict(),
            "test_csv": self.manifest.sha256,
            "on_bad_rows": self.config.on_bad_rows,
            "precision": self.encoder.precision.name,
            "preprocessing": repr(self.preprocess),
        }

    def fingerprint(self, strategy: str) -> str:
        """Identify the run of a strategy."""
        text = json.dumps(self.decisive() | {"run": strategy}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_inputs(config: EvaluateConfig, *, drawn: bool = False, ranks: Ranks = ALONE) -> Inputs:
    """Read and check all inputs, the cheap ones first; `ranks` places this process."""
    manifest = read_manifest(config.test_csv, on_bad_rows=config.on_bad_rows)
    check_image_dir(config.image_dir, manifest.frame["image_filename"].tolist())
    candidates = load_candidates(config.candidates_file)
    truth = find_truth(manifest.frame, candidates)
    chosen = None if config.prompts == "auto" else load_prompts(config.prompts)
    encoder = load_encoder(
        config.model_source,
        base_model=config.model_name if config.checkpoint_path else None,
        device=own_device(config.device, ranks),
        precision=config.precision,
    )
    prompts = chosen or encoder.prompts or PAPER_PROMPTS
    return Inputs(
        config, manifest, candidates, truth, encoder, identify(encoder), prompts, drawn=drawn
    )
