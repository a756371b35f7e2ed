"""What the trainings on the drawn world differ in, and which of them are compared."""

from typing import NamedTuple

PORTION, PASSES = 32, 8


class Variant(NamedTuple):
    """A loss over a step's images; equal in all else."""

    title: str
    loss: str
    duplicates: str
    negatives: str
    passes: int = PASSES

    def flags(self) -> list[str]:
        """Those of the `train` job."""
        return [
            f"--loss={self.loss}",
            f"--duplicates={self.duplicates}",
            f"--negatives={self.negatives}",
            f"--batch_size={PORTION}",
            f"--gradient_accumulation_steps={self.passes}",
        ]


VARIANTS = {
    "positive_global": Variant("positives, 256 contrasted", "softmax", "positive", "global"),
    "mask_global": Variant("duplicates masked, 256 contrasted", "softmax", "mask", "global"),
    "ignore_global": Variant("plain InfoNCE, 256 contrasted", "softmax", "ignore", "global"),
    "positive_micro": Variant("positives, 8 × 32 contrasted", "softmax", "positive", "micro_batch"),
    "ignore_micro": Variant("plain InfoNCE, 8 × 32 contrasted", "softmax", "ignore", "micro_batch"),
    "sigmoid_positive": Variant("sigmoid, positives, 256", "sigmoid", "positive", "global"),
    "sigmoid_ignore": Variant("sigmoid, plain, 256", "sigmoid", "ignore", "global"),
    "batch_32": Variant("positives, batch 32, 8 × the steps", "softmax", "positive", "global", 1),
}

# Each differs in one thing.
COMPARISONS = (
    ("positive_global", "ignore_global"),
    ("positive_micro", "ignore_micro"),
    ("positive_global", "positive_micro"),
    ("ignore_global", "ignore_micro"),
    ("positive_global", "ignore_micro"),
    ("positive_global", "mask_global"),
    ("sigmoid_positive", "sigmoid_ignore"),
    ("sigmoid_positive", "positive_global"),
    ("positive_global", "batch_32"),
)
